import { CnmError } from '../../contracts/errors.js'
import type { Store } from '../../contracts/store.js'
import type { VolumeDriver } from '../../contracts/volume-driver.js'
import type { Collection } from '../collection.js'
import type { DriverRegistry } from '../driver-registry.js'
import type { GuardedVolumeDriver } from './guarded-volume-driver.js'
import type { SecretFiles } from './secrets.js'
import type { Volume } from './volume.js'

/** What the volumes of one controller share. */
export interface VolumeState {
  /** Where built-in drivers keep data, and read-only views are mounted. */
  readonly directory: string
  readonly collection: Collection<Volume>
  readonly drivers: DriverRegistry<VolumeDriver, GuardedVolumeDriver>
  readonly secrets: SecretFiles
  /** Name of this host among those that share the store of write leases. */
  readonly node: string
  /** Where the write leases of volumes are that other hosts reach too (`global`), or that are this host's. */
  leaseStore(scope: 'local' | 'global'): Store
  /** A plan is being made, in which volumes have no part. */
  readonly planning?: boolean
}

/** @throws CnmError ERR_CNM_NOT_SUPPORTED */
export function refusePlanning({ planning }: VolumeState): void {
  if (planning) throw new CnmError('ERR_CNM_NOT_SUPPORTED', 'volumes cannot be planned: a plan is about networks, endpoints and sandboxes')
}
