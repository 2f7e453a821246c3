import { expect, test } from 'vitest';
import { isRecorded, hashOf } from '../src/sampling.lazy';

// Made with the server's `is_recorded` (http/dropped.py): hashlib's BLAKE2b of the id's bytes, keyed with the project's number.
test.each([
  [1, '6513270e-269e-0d37-f2a7-4de452e6b438', 18401289840275231767n],
  [1, 'd23f0824-128b-2f33-0c5c-7fd0a6a3a450', 18185273666318485585n],
  [2, '9531985d-5d9d-c9f8-1818-e811892f902b', 3615744242022474473n],
  [2, '36f675cc-81e7-4ef5-e8e2-5d940ed90475', 274879198831061123n],
  [77, '6b0d549b-6f03-675a-1600-a35a099950d8', 9442094162083736746n],
  [77, '8d116ece-1738-f7d9-3d9c-172411e20b8f', 1588116329922045777n],
  [1099511627779, '90c192cf-d3ac-94af-0f21-ddb66cad4a26', 3265935613048464482n],
  [1099511627779, 'a170b338-3926-3059-f28c-105d1fb17c23', 10581970302811672633n],
])('project %i, session %s has the same hash as on the server', (project, session, place) => {
  expect(hashOf(project, session)).toBe(place);
});

test('a larger share includes the sessions of a smaller one', () => {
  const ids = Array.from({ length: 400 }, (_, n) => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`);
  const few = ids.filter((id) => isRecorded(1, id, 0.25));
  const many = ids.filter((id) => isRecorded(1, id, 0.75));
  expect(few.every((id) => many.includes(id))).toBe(true);
  expect(few.length / ids.length).toBeCloseTo(0.25, 1);
  expect(many.length / ids.length).toBeCloseTo(0.75, 1);
});
