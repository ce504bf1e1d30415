/** True for types that are the same, also where each could be assigned to the other. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Does not compile unless the types are the same: `same<Equal<A, B>>()`. */
export function same<_Same extends true>(): void {}
