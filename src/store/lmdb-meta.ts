import type { Meta } from './lmdb-layout.js'

/**
 * The state that LMDB will begin with: the last one; but after a restart of the machine, which may have lost what the
 * page cache held, the last one that was flushed. (mdb_pick_meta in lmdb-js' mdb.c, for a sole user of the file.)
 */
export function chooseMeta(metas: readonly Meta[], bootId: bigint): Meta {
  return metas.reduce((left, right) => {
    if (right.transaction === 0) return left
    const latest = left.transaction >= right.transaction ? left : right
    if ((latest.bootId !== 0n && latest.bootId === bootId) || !latest.unflushed) return latest
    return left.transaction > right.transaction ? right : left
  })
}
