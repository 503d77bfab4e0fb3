import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Store } from '../../contracts/store.js'
import type { VolumeDriver } from '../../contracts/volume-driver.js'
import type { Kernel } from '../../kernel/index.js'
import { builtInVolumeDrivers } from '../built-in.js'
import { Collection } from '../collection.js'
import { DriverRegistry } from '../driver-registry.js'
import { isTrue } from '../filters.js'
import { GuardedVolumeDriver } from './guarded-volume-driver.js'
import { SecretFiles } from './secrets.js'
import type { VolumeState } from './state.js'
import type { Volume } from './volume.js'

export interface VolumeParts {
  instance: string
  /** Of the instance. */
  directory: string
  kernel: Kernel
  store: Store
  drivers: readonly VolumeDriver[]
  /** The store of the hosts that share volumes of scope `global`, and this host's name among them. */
  cluster?: { store: Store; node: string }
}

export function volumeState({ instance, directory: top, kernel, store, drivers, cluster }: VolumeParts): VolumeState {
  const directory = join(top, 'volumes')
  return {
    directory,
    collection: volumeCollection(),
    drivers: new DriverRegistry<VolumeDriver, GuardedVolumeDriver>(
      'volume driver',
      [...builtInVolumeDrivers(kernel), ...drivers],
      (driver) => GuardedVolumeDriver.start(driver, { instance, directory: join(directory, driver.name) }),
    ),
    secrets: new SecretFiles(join(directory, 'secrets')),
    node: cluster?.node ?? hostname(),
    leaseStore: (scope) => (scope === 'global' && cluster !== undefined ? cluster.store : store),
  }
}

export const volumeCollection = (): Collection<Volume> =>
  new Collection<Volume>(
    'volume',
    { exists: 'ERR_CNM_VOLUME_EXISTS', missing: 'ERR_CNM_VOLUME_NOT_FOUND' },
    {
      driver: (volume, value) => volume.driver === value,
      scope: (volume, value) => volume.scope === value,
      dangling: (volume, value) => (volume.leases.size === 0) === isTrue(value),
    },
  )
