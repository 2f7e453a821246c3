import type { PartContext } from './context';
import type { EventFields } from './event';
import { targetOf } from './event-target';
import { combineTeardowns, listen, type Teardown } from './guard';
import { type Field, isField } from './mask';
import type { OnRequest } from './network';
import type { ListenDeep } from './shadow-trees';

const MAX_NAME = 100;
const MAX_FIELDS = 50;

interface Filling {
  at: EventFields;
  first: number;
  last: number;
  fields: Set<Field>;
  lastField: Field;
  /** One of the form's buttons was pressed after the last input: the next request may submit the form. */
  pressed: boolean;
}

/**
 * Emits forms that are submitted, and forms that were filled in and left. An event has the names of fields that are
 * not secret, their number and the duration, never a value.
 */
export function initForms({ emit, secrets, describe, beforeLeave, onNavigate }: Pick<PartContext, 'emit' | 'secrets' | 'describe' | 'beforeLeave' | 'onNavigate'>, listenDeep: ListenDeep): { teardown: Teardown; onRequest: OnRequest } {
  const open = new Map<HTMLFormElement, Filling>();

  const nameOf = (field: Field): string | undefined => {
    if (secrets.isSecret(field)) return undefined;
    const name = field.name || field.id;
    return name ? name.slice(0, MAX_NAME) : undefined;
  };
  const about = ({ first, last, fields, lastField }: Filling): Record<string, unknown> => ({
    fields: [...fields].slice(0, MAX_FIELDS).map(nameOf).filter((name) => name !== undefined),
    field_count: fields.size,
    last_field: nameOf(lastField),
    duration_ms: Math.round(last - first),
  });
  const abandon = (form: HTMLFormElement, filling: Filling): void => {
    open.delete(form);
    emit('form_abandon', { ...filling.at, event_data: about(filling) });
  };

  const onInput = (event: Event): void => {
    const field = targetOf(event) as Field;
    const form = isField(field) ? field.form : null;
    if (!form) return;
    const now = performance.now();
    let filling = open.get(form);
    if (!filling) open.set(form, (filling = { at: { page_url: location.href, ...describe(form) }, first: now, last: now, fields: new Set(), lastField: field, pressed: false }));
    filling.fields.add(field);
    Object.assign(filling, { last: now, lastField: field, pressed: false });
  };
  const onSubmit = (event: Event): void => {
    const form = targetOf(event) as HTMLFormElement;
    const filling = open.get(form);
    open.delete(form);
    if (filling) filling.last = performance.now();
    // By attribute: a field named `method` would hide the property.
    const method = (form.getAttribute('method') ?? 'get').toLowerCase();
    emit('submit', { ...describe(form), event_data: { method, ...(filling && about(filling)) } });
  };
  const onClick = (event: Event): void => {
    for (const node of event.composedPath()) {
      const button = node as HTMLButtonElement;
      if (!/^(button|input)$/.test(button.localName)) continue;
      const filling = button.form && open.get(button.form);
      if (filling && /^(button|submit|image)$/.test(button.type)) filling.pressed = true;
    }
  };
  const leave = (): void => {
    open.forEach((filling, form) => {
      abandon(form, filling);
    });
  };

  listenDeep('submit', onSubmit);
  listenDeep('reset', (event) => {
    open.delete(targetOf(event) as HTMLFormElement);
  });
  return {
    // Pages submit forms by requests, some without a `submit` event.
    onRequest(method) {
      if (method === 'GET' || method === 'HEAD') return;
      open.forEach((filling, form) => {
        if (filling.pressed) open.delete(form);
      });
    },
    teardown: combineTeardowns([
      () => {
        open.clear();
      },
      onNavigate((samePage) => {
        if (!samePage) leave();
      }),
      listen(document, 'input', onInput),
      listen(document, 'click', onClick),
      beforeLeave((isGoing) => {
        if (isGoing) leave();
      }),
    ]),
  };
}
