/**
 * Which of two statements about a flow is the newer one, wherever and whenever they arrive.
 *
 * `term` is the generation of the bucket's ownership: whoever takes a bucket takes a term above all
 * it has heard of for that bucket, so the new owner's word beats the former owner's. Two owners of
 * one term are only possible after a partition, and then the writer's id decides. `sequence` counts
 * the statements of one writer and has 48 bits, so that it never goes around.
 */
export interface Version {
  /** A u32. */
  readonly term: number;
  /** Node id of who wrote it. */
  readonly writer: number;
  readonly sequence: number;
}

export const TERM_MAX = 0xffff_ffff;

export function isNewer(a: Version, b: Version): boolean {
  if (a.term !== b.term) return a.term > b.term;
  if (a.writer !== b.writer) return a.writer > b.writer;
  return a.sequence > b.sequence;
}
