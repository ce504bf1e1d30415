// What a disk may hold when the power comes back. Everything synced is there; of the rest each kind of image keeps
// other parts. `docs/reliability/power-cut.md` says why each is legal.
import type { Dice } from "../../examples/shop/random.ts";
import { applied, apply, type Change, type File, type Moment } from "./disk.ts";

/** Content by name. */
export type Image = ReadonlyMap<string, Buffer>;

export const imageKinds = [
  "none", "all", "prefix", "subset", "drop-one", "keep-one", "torn-512", "torn-4096", "versions-512", "versions-4096", "junk",
] as const; // prettier-ignore
export type ImageKind = (typeof imageKinds)[number];

/** Kinds that chance has no part in. */
export const extremes = ["none", "all"] as const;
/** Those of which there are many. */
export const randomKinds = imageKinds.filter((kind) => kind !== "none" && kind !== "all");

/** Builds one image of a moment. The same dice give the same image. */
export function imageOf(moment: Moment, kind: ImageKind, chance: Dice): Image {
  const contents = contentsOf(kind, chance);
  const image = new Map<string, Buffer>();
  // A journaling file system keeps the order of entries, and most often all of them; POSIX promises neither.
  const entries = kind === "none" || kind === "all" ? kind : chance.pick(["none", "all", "all", "any"] as const);
  for (const [name, versions] of moment.names) {
    const file = entries === "none" ? versions[0] : entries === "all" ? versions.at(-1) : chance.pick(versions);
    if (file) image.set(name, contents(file));
  }
  return image;
}

/** Answers with the content of a file, always the same for one file: two names may lead to it. */
function contentsOf(kind: ImageKind, chance: Dice): (file: File) => Buffer {
  const known = new Map<File, Buffer>();
  const share = chance.pick([0.1, 0.5, 0.9]);
  const one = chance.next();
  return (file) => {
    const content = known.get(file) ?? contentOf(file, kind, { chance, share, one });
    known.set(file, content);
    return content;
  };
}

/** What chance says for all files of an image. */
interface Draw {
  readonly chance: Dice;
  /** Of the changes about so many are kept. */
  readonly share: number;
  /** Which of the changes is the one that is dropped, or kept; 0 up to 1. */
  readonly one: number;
}

function contentOf({ synced, changes }: File, kind: ImageKind, { chance, share, one }: Draw): Buffer {
  const those = (kept: (change: Change, index: number) => boolean): Buffer => applied(synced, changes.filter(kept));
  const chosen = Math.floor(one * changes.length);
  switch (kind) {
    case "none":
      return synced;
    case "all":
      return applied(synced, changes);
    case "prefix":
      return applied(synced, changes.slice(0, chance.between(0, changes.length)));
    case "subset":
      return those(() => chance.next() < share);
    case "drop-one":
      return those((_, index) => index !== chosen);
    case "keep-one":
      return those((_, index) => index === chosen);
    case "versions-512":
    case "versions-4096":
      return versions({ synced, changes }, Number(kind.slice(9)), chance);
    case "junk":
      return junk({ synced, changes }, chance);
    case "torn-512":
    case "torn-4096":
    default: {
      const sector = kind === "torn-512" ? 512 : 4096;
      const pieces = changes.flatMap((change) => torn(change, sector, share, chance));
      return applied(synced, pieces);
    }
  }
}

/** A write is there, not there, or there in some of its sectors; so a shortening is done or not. */
function torn(change: Change, sector: number, share: number, chance: Dice): Change[] {
  if (change.kind === "truncate" || chance.next() < 0.5) return chance.next() < share ? [change] : [];
  const pieces = sectorsOf(change, sector);
  const way = chance.pick(["first", "last", "any"] as const);
  const cut = chance.between(0, pieces.length);
  if (way === "first") return pieces.slice(0, cut);
  if (way === "last") return pieces.slice(cut);
  return pieces.filter(() => chance.next() < 0.5);
}

/** A write in pieces that do not cross a border of sectors. */
function sectorsOf({ offset, data }: Extract<Change, { kind: "write" }>, sector: number): Change[] {
  const pieces: Change[] = [];
  for (let from = 0; from < data.length;) {
    const to = Math.min(data.length, (Math.floor((offset + from) / sector) + 1) * sector - offset);
    pieces.push({ kind: "write", offset: offset + from, data: data.subarray(from, to) });
    from = to;
  }
  return pieces;
}

/**
 * A cache writes its sectors back when it likes: each holds what it held after one or another of the changes, and the
 * file has the size of one of those moments.
 */
function versions({ synced, changes }: File, sector: number, chance: Dice): Buffer {
  const final = applied(synced, changes);
  const room = changes.reduce((most, change) => Math.max(most, endOf(change)), Math.max(synced.length, final.length));
  const current = Buffer.alloc(room);
  synced.copy(current);
  const result = Buffer.from(current);
  const chosen = Array.from({ length: Math.ceil(room / sector) }, () => chance.between(0, changes.length));
  const chosenSize = chance.between(0, changes.length);
  let size = synced.length;
  let resultSize = size;
  for (const [index, change] of changes.entries()) {
    size = apply(current, size, change);
    if (chosenSize === index + 1) resultSize = size;
    for (const [at, version] of chosen.entries())
      if (version === index + 1) current.copy(result, at * sector, at * sector, (at + 1) * sector);
  }
  return result.subarray(0, resultSize);
}

function endOf(change: Change): number {
  return change.kind === "write" ? change.offset + change.data.length : change.size;
}

/**
 * The file has grown, and what it has grown by holds what stood on the disk there before: some file systems let that
 * be seen. What was there before the growth is kept or lost sector by sector.
 */
function junk(file: File, chance: Dice): Buffer {
  const result = Buffer.from(versions(file, 512, chance));
  for (let at = Math.ceil(file.synced.length / 512) * 512; at < result.length; at += 512) {
    if (chance.next() < 0.6) continue;
    const zeros = chance.next() < 0.3;
    const end = Math.min(result.length, at + 512);
    for (let byte = at; byte < end; byte += 4) {
      const value = zeros ? 0 : Math.floor(chance.next() * 2 ** 32);
      for (let i = 0; i < 4 && byte + i < end; i++) result[byte + i] = (value >>> (8 * i)) & 255;
    }
  }
  return result;
}
