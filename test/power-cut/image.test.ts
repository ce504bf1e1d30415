import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { dice } from "../../examples/shop/random.ts";
import { Disk } from "../../scripts/power-cut/disk.ts";
import { type ImageKind, imageKinds, imageOf } from "../../scripts/power-cut/image.ts";
import { momentsOf, nameOf, planOf, specOf } from "../../scripts/power-cut/plan.ts";
import type { Call, Step } from "../../scripts/power-cut/step.ts";

/** One step after the other, each done before the next one begins. */
const steps = (...calls: readonly Call[]): Step[] =>
  calls.map((call, index) => ({ begun: index + 1, ended: index + 1, call }));
const write = (text: string, offset = 0, name = "f"): Call => ({
  kind: "write",
  name,
  offset,
  data: Buffer.from(text),
});
const create = (name = "f"): Call => ({ kind: "create", name });
const sync = (name = "f"): Call => ({ kind: "sync", name });
const folder: Call = { kind: "sync-folder" };
const ready = [create(), folder];

/** Every image of a kind that chance can build at the end, as text: sectors of 512 equal bytes are one letter. */
function images(kind: ImageKind, all: readonly Step[], cut = Number.POSITIVE_INFINITY): string[] {
  const found = new Set<string>();
  const moment = new Disk(all).at(cut);
  for (let seed = 0; seed < 400; seed++) {
    const files = [...imageOf(moment, kind, dice(seed))].map(([name, content]) => `${name}=${short(content)}`);
    found.add(files.toSorted().join(" "));
  }
  return [...found].toSorted();
}

const short = (content: Buffer): string =>
  String(content).replaceAll(/(.)\1*/gsu, (run, letter: string) =>
    (letter === "\0" ? "0" : letter).repeat(Math.ceil(run.length / 512)),
  );
const sector = (letters: string): string => letters.replaceAll(/./g, (letter) => letter.repeat(512));

describe("images after a power cut", () => {
  it("hold what was synced, and with it nothing or all of the rest", () => {
    const all = steps(...ready, write("a"), sync(), write("b"), write("c", 1));
    assert.deepEqual(images("none", all), ["f=a"]);
    assert.deepEqual(images("all", all), ["f=bc"]);
    for (const kind of imageKinds.filter((each) => each !== "junk")) {
      // The size may be there before the bytes are.
      const legal = ["f=a", "f=ac", "f=b", "f=bc", ...(kind.startsWith("versions") ? ["f=a0", "f=b0"] : [])];
      const illegal = images(kind, all).filter((image) => !legal.includes(image));
      assert.deepEqual(illegal, [], kind);
    }
  });

  it("take a sync for done only behind its end, and only for what had ended when it began", () => {
    const all: Step[] = [
      ...steps(...ready),
      { begun: 3, ended: 6, call: write("a") },
      { begun: 4, ended: 4, call: write("b", 1) },
      { begun: 5, ended: 8, call: sync() },
    ];
    assert.deepEqual(images("none", all, 8), ["f="]);
    assert.deepEqual(images("none", all, 9), ["f=\0b".replace("\0", "0")]);
    assert.deepEqual(images("all", all, 4), ["f=a"]);
  });

  it("lose and keep each unsynced write, the later one with or without the earlier one", () => {
    const all = steps(...ready, write(sector("aa")), sync(), write(sector("b")), write(sector("c"), 512));
    assert.deepEqual(images("subset", all), ["f=aa", "f=ac", "f=ba", "f=bc"]);
    assert.deepEqual(images("drop-one", all), ["f=ac", "f=ba"]);
    assert.deepEqual(images("keep-one", all), ["f=ac", "f=ba"]);
    assert.deepEqual(images("prefix", all), ["f=aa", "f=ba", "f=bc"]);
  });

  it("tear a write at the borders of sectors, and nowhere else", () => {
    const all = steps(...ready, write(sector("aaa")), sync(), write(sector("bbb")));
    assert.deepEqual(
      images("torn-512", all),
      ["aaa", "aab", "aba", "abb", "baa", "bab", "bba", "bbb"].map((text) => `f=${text}`),
    );
    assert.deepEqual(images("torn-4096", all), ["f=aaa", "f=bbb"]);
    const beside = new Disk(steps(...ready, write(sector("aa")), sync(), write("b".repeat(512), 256))).at(99);
    const contents = new Set<string>();
    for (let seed = 0; seed < 200; seed++) contents.add(String(imageOf(beside, "torn-512", dice(seed)).get("f")));
    const [a, b] = ["a".repeat(256), "b".repeat(256)];
    assert.deepEqual(contents, new Set([a + a + a + a, a + b + a + a, a + a + b + a, a + b + b + a]));
  });

  it("hold in each sector what it held after one or another of the writes", () => {
    const all = steps(...ready, write(sector("aa")), sync(), write(sector("bb")), write(sector("c")));
    assert.deepEqual(images("versions-512", all), ["f=aa", "f=ab", "f=ba", "f=bb", "f=ca", "f=cb"]);
  });

  it("have a shortening done or undone", () => {
    const all = steps(...ready, write(sector("ab")), sync(), { kind: "truncate", name: "f", size: 512 });
    for (const kind of ["subset", "torn-512", "torn-4096"] as const)
      assert.deepEqual(images(kind, all), ["f=a", "f=ab"]);
    // What was freed may read as zeros where the old size is still there.
    assert.deepEqual(images("versions-512", all), ["f=a", "f=a0", "f=ab"]);
    const grown = steps(
      ...ready,
      write(sector("a")),
      sync(),
      { kind: "truncate", name: "f", size: 0 },
      write(sector("bc")),
    );
    assert.ok(images("subset", grown).includes("f="));
    assert.ok(images("subset", grown).includes("f=bc"));
    assert.ok(images("subset", grown).includes("f=a"));
  });

  it("show in what a file has grown by zeros or whatever stood on the disk before", () => {
    const all = steps(...ready, write(sector("a")), sync(), write(sector("b"), 512));
    const moment = new Disk(all).at(9);
    const ends = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const content = imageOf(moment, "junk", dice(seed)).get("f") ?? Buffer.alloc(0);
      assert.equal(short(content.subarray(0, 512)), "a");
      if (content.length === 512) ends.add("gone");
      else if (content.subarray(512).every((byte) => byte === 0)) ends.add("zeros");
      else ends.add(String(content.subarray(512)) === sector("b") ? "kept" : "junk");
    }
    assert.deepEqual([...ends].toSorted(), ["gone", "junk", "kept", "zeros"]);
  });

  it("lose what a folder was told and not synced: new names, removed names, renamed ones", () => {
    const made = steps(create(), write("a"), sync());
    assert.deepEqual(images("none", made), [""]);
    assert.deepEqual(images("subset", made), ["", "f=a"]);
    const removed = steps(...ready, write("a"), sync(), { kind: "unlink", name: "f" });
    assert.deepEqual(images("none", removed), ["f=a"]);
    assert.deepEqual(images("subset", removed), ["", "f=a"]);
    const again = steps(...ready, write("a"), sync(), { kind: "unlink", name: "f" }, create(), write("b"), sync());
    assert.deepEqual(images("subset", again), ["", "f=a", "f=b"]);
    assert.deepEqual(images("none", steps(...again.map(({ call }) => call), folder)), ["f=b"]);
    const renamed = steps(...ready, write("a"), sync(), { kind: "rename", name: "f", to: "g" });
    assert.deepEqual(images("none", renamed), ["f=a"]);
    assert.deepEqual(images("all", renamed), ["g=a"]);
  });

  it("are the same for the same dice", () => {
    const moment = new Disk(steps(...ready, write(sector("abcdefgh")), write(sector("ijkl"), 700))).at(99);
    for (const kind of imageKinds) {
      const [one, other] = [imageOf(moment, kind, dice("x")), imageOf(moment, kind, dice("x"))];
      assert.deepEqual([...one], [...other], kind);
    }
  });
});

describe("the plan", () => {
  const all = steps(...ready, write("a"), sync(), write("b"), write("c", 1), sync(), write("d"));

  it("has both extremes just before and just after each sync takes effect, and the rest at random", () => {
    const { specs, boundaries, boundariesCovered } = planOf(momentsOf(all), 100, 1);
    assert.equal(boundaries, 6);
    assert.equal(boundariesCovered, 6);
    assert.equal(specs.length, 100);
    const names = specs.filter(({ number }) => number === 0).map(nameOf);
    // Right behind the sync of the folder and of the first write, nothing can be undone.
    assert.deepEqual(names, [
      "2.none.0",
      "2.all.0",
      "3.none.0",
      "4.none.0",
      "4.all.0",
      "5.none.0",
      "7.none.0",
      "7.all.0",
      "8.none.0",
    ]);
    assert.deepEqual(planOf(momentsOf(all), 100, 1).specs, specs);
    assert.notDeepEqual(planOf(momentsOf(all), 100, 2).specs, specs);
  });

  it("says how many syncs it has left out where there are too few images", () => {
    const { boundaries, boundariesCovered } = planOf(momentsOf(all), 8, 1);
    assert.deepEqual([boundaries, boundariesCovered], [6, 2]);
  });

  it("loses everything first where somebody was told something before it was synced", () => {
    const mark: Call = { kind: "mark", text: "told" };
    const told = steps(...ready, mark, write("a"), sync(), write("b"), mark, mark, write("c"), sync(), mark, sync());
    assert.deepEqual(momentsOf(told).telling, [10]);
    const names = planOf(momentsOf(told), 2, 1).specs.map(nameOf);
    assert.ok(names.includes("10.none.0"), names.join());
  });

  it("names each image so that it can be built again", () => {
    assert.deepEqual(specOf("12.torn-512.7"), { cut: 12, kind: "torn-512", number: 7 });
    for (const name of ["", "12", "x.none.0", "1.nothing.0", "1.none"]) assert.equal(specOf(name), undefined);
  });
});
