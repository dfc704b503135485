import { expect, test, vi } from "vitest";
import { countRows, type LoadPage, Paged, pageSize } from "./paged";

/** A server with numbered rows. It counts the questions. */
function server(rows: number) {
  const asked: [number, number][] = [];
  const load: LoadPage<number> = async (page, size) => {
    asked.push([page, size]);
    const start = (page - 1) * size;
    return Array.from({ length: Math.max(0, Math.min(size, state.rows - start)) }, (_, at) => start + at);
  };
  const state = { rows, asked, load };
  return state;
}

const key = (row: number) => String(row);
const soon = { interval: 1 };
/** Lets every promise that can settle do so. */
const settled = (paged: Paged<number>, count: number) =>
  vi.waitFor(() => expect([paged.ready, paged.count]).toEqual([true, count]), soon);

test.each([0, 1, 2, 99, 100, 101, 1023, 1024, 4097, 100_000])(
  "%i rows are counted with few questions",
  async (rows) => {
    let questions = 0;
    const count = await countRows(0, 0, async (row) => {
      questions++;
      return row <= rows;
    });
    expect(count).toBe(rows);
    expect(questions).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(rows + 2)) + 2);
  },
);

test.each([99_998, 100_000, 100_003])(
  "a list of %i rows that had 100,000 is counted with few questions",
  async (rows) => {
    let questions = 0;
    const count = await countRows(0, 100_000, async (row) => {
      questions++;
      return row <= rows;
    });
    expect(count).toBe(rows);
    if (rows >= 100_000) expect(questions).toBeLessThan(8);
  },
);

test("a short list needs one question", async () => {
  const { load, asked } = server(30);
  const paged = new Paged({ key, load });
  await settled(paged, 30);
  expect(asked).toEqual([[1, pageSize]]);
  expect(paged.row(29)).toBe(29);
});

test("the end of a long list is shown without what is between", async () => {
  const { load, asked } = server(100_000);
  const paged = new Paged({ key, load });
  await settled(paged, 100_000);
  paged.show(99_980, 99_999);
  await vi.waitFor(() => expect(paged.row(99_999)).toBe(99_999), soon);
  expect(asked.filter(([, size]) => size === pageSize)).toHaveLength(2);
});

test("a list that is scrolled through keeps a bounded number of rows", async () => {
  const { load } = server(20_000);
  const paged = new Paged({ key, load });
  await settled(paged, 20_000);
  for (let first = 0; first < 20_000; first += pageSize) {
    paged.show(first, first + 20);
    await vi.waitFor(() => expect(paged.row(first)).toBe(first), soon);
  }
  let kept = 0;
  for (let index = 0; index < 20_000; index++) if (paged.row(index) !== undefined) kept++;
  expect(kept).toBeLessThanOrEqual(40 * pageSize);
  expect(paged.row(19_950)).toBe(19_950);
});

test("folders come before the pages", async () => {
  const { load } = server(150);
  const paged = new Paged<number>({ key, head: async () => [-2, -1], load });
  await settled(paged, 152);
  expect([paged.row(0), paged.row(1), paged.row(2)]).toEqual([-2, -1, 0]);
  expect(await paged.rows(1, 3)).toEqual([-1, 0, 1]);
});

test("a reload shows the old rows until the new ones are there, and finds the new count", async () => {
  const state = server(500);
  const paged = new Paged({ key, load: state.load });
  await settled(paged, 500);
  state.rows = 503;
  const fresh = paged.reload();
  expect(paged.row(0)).toBe(0);
  await fresh;
  await settled(paged, 503);
});

test("a list that became empty has no rows after a reload", async () => {
  const state = server(500);
  const paged = new Paged({ key, load: state.load });
  await settled(paged, 500);
  state.rows = 0;
  await paged.reload();
  await settled(paged, 0);
  expect(paged.row(0)).toBeUndefined();
});

test("a selection over rows that are not kept loads them in large pages", async () => {
  const { load, asked } = server(5_000);
  const paged = new Paged({ key, load });
  await settled(paged, 5_000);
  asked.length = 0;
  const rows = await paged.rows(500, 2_999);
  expect([rows.length, rows[0], rows.at(-1)]).toEqual([2_500, 500, 2_999]);
  expect(asked).toEqual([
    [1, 1000],
    [2, 1000],
    [3, 1000],
  ]);
});

test("a refusal is kept until a reload succeeds", async () => {
  let refuse = true;
  const paged = new Paged<number>({
    key,
    load: async () => {
      if (refuse) throw new Error("no such folder");
      return [1];
    },
  });
  await vi.waitFor(() => expect(paged.error?.message).toBe("no such folder"), soon);
  await paged.reload();
  refuse = false;
  await paged.reload();
  await settled(paged, 1);
  expect(paged.error).toBeUndefined();
});

test("a closed list asks nothing more", async () => {
  const { load, asked } = server(10_000);
  const paged = new Paged({ key, load });
  await settled(paged, 10_000);
  asked.length = 0;
  paged.close();
  paged.show(5_000, 5_020);
  expect(asked).toEqual([]);
});
