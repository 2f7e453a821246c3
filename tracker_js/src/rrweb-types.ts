/** The parts of rrweb's format that the tracker reads (its `packages/types/src/index.ts`, 2.1). */
export const FULL_SNAPSHOT = 2;
export const INCREMENTAL = 3;
export const META = 4;

export const MUTATION = 0;
/** Moves, clicks, inputs, touches and drags. A page may scroll, play and resize without the visitor. */
export const USER_ACTIONS: readonly (number | undefined)[] = [1, 2, 5, 6, 12];
export const SCROLL = 3;
export const INPUT = 5;
export const CANVAS = 9;
export const FONT = 10;
export const SELECTION = 14;

export const ELEMENT = 2;
export const TEXT = 3;

/** The `style` of a mutation is an object of its changed properties. */
export type Attributes = Record<string, unknown>;

export interface SerializedNode {
  type: number;
  id: number;
  tagName?: string;
  attributes?: Attributes;
  childNodes?: SerializedNode[];
  textContent?: string;
}

export interface Changed {
  id: number;
  attributes: Attributes;
}

/** The data of all sources and types in one. Fields of other types are absent. */
export interface EventData {
  source?: number;
  id?: number;
  href?: string;
  node?: SerializedNode;
  text?: string;
  isChecked?: boolean;
  /** `false`: the page wants the value to be stored. */
  input_masked?: boolean;
  texts?: { id: number; value: string | null }[];
  attributes?: Changed[];
  removes?: unknown[];
  adds?: { parentId: number; node: SerializedNode }[];
  ranges?: { start: number; end: number }[];
  family?: string;
  fontSource?: string;
  buffer?: boolean;
  descriptors?: Record<string, string>;
}

export interface RecordedEvent {
  type: number;
  data: EventData;
  timestamp: number;
}

/** rrweb's map between nodes and ids. */
export interface Mirror {
  getNode: (id: number) => Node | null;
  getId: (node: Node) => number;
}
