// BLAKE2b (RFC 7693), as far as needed: a key of 8 bytes, a message of 16, a digest of 8. Loaded only for projects
// that sample sessions, so that the tag and the server choose the same ones.
const WORD = (1n << 64n) - 1n;
// prettier-ignore
const IV = [
  0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n,
];
const digits = (row: string): number[] => row.split('').map((digit) => parseInt(digit, 16));
const SIGMA = [
  '0123456789abcdef',
  'ea489fd61c02b753',
  'b8c052fdae367194',
  '7931dcbe265a40f8',
  '905724afe1bc683d',
  '2c6a0b834d75fe19',
  'c51fed4a0763928b',
  'db7ec13950f4862a',
  '6fe9b308c2d714a5',
  'a2847615fb9e3cd0',
].map(digits);
/** The words that a step mixes: four columns, then four diagonals. */
const STEPS = ['048c', '159d', '26ae', '37bf', '05af', '16bc', '278d', '349e'].map(digits);
const ROUNDS = 12;

type Words = bigint[];
const at = (words: Words, index = 0): bigint => words[index] ?? 0n;
const rotate = (word: bigint, by: bigint): bigint => (word >> by) | ((word << (64n - by)) & WORD);

function compress(state: Words, block: Words, count: bigint, isLast: boolean): Words {
  const v = [...state, ...IV];
  v[12] = at(v, 12) ^ count;
  if (isLast) v[14] = at(v, 14) ^ WORD;
  for (let round = 0; round < ROUNDS; round++) {
    const order = SIGMA[round % 10] ?? [];
    STEPS.forEach(([a = 0, b = 0, c = 0, d = 0], step) => {
      for (const [half, one, two] of [[0, 32n, 24n], [1, 16n, 63n]] as const) {
        v[a] = (at(v, a) + at(v, b) + at(block, order[2 * step + half])) & WORD;
        v[d] = rotate(at(v, d) ^ at(v, a), one);
        v[c] = (at(v, c) + at(v, d)) & WORD;
        v[b] = rotate(at(v, b) ^ at(v, c), two);
      }
    });
  }
  return state.map((word, index) => word ^ at(v, index) ^ at(v, index + 8));
}

/** Reverses the bytes of a word. */
function reverseBytes(word: bigint): bigint {
  let reversed = 0n;
  for (let byte = 0n; byte < 64n; byte += 8n) reversed = (reversed << 8n) | ((word >> byte) & 255n);
  return reversed;
}

/** Returns the hash of a session within its project, from 0 to 2^64 - 1. */
export function hashOf(projectId: number, sessionId: string): bigint {
  const id = sessionId.replace(/-/g, '');
  const [low = '', high = ''] = id.match(/.{16}/g) ?? [];
  const parameters = 0x01010000n | (8n << 8n) | 8n;
  const state = IV.map((word, index) => (index === 0 ? word ^ parameters : word));
  const keyed = compress(state, [reverseBytes(BigInt(projectId))], 128n, false);
  const [digest = 0n] = compress(keyed, [reverseBytes(BigInt(`0x${low}`)), reverseBytes(BigInt(`0x${high}`))], 144n, true);
  return reverseBytes(digest);
}

/** Whether the project samples a session. The server's `is_recorded` gives the same answer. */
export const isRecorded = (projectId: number, sessionId: string, rate: number): boolean => hashOf(projectId, sessionId) < rate * 2 ** 64;
