// @ts-check
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** @param {import('libcnm/contracts').VolumeView} volume */
const pathOf = ({ name, options }) => join(/** @type {string} */ (options.folder), name)

/**
 * Volumes that every host of a cluster reaches: folders in a folder that all of them see.
 *
 * @type {import('libcnm/contracts').VolumeDriver}
 */
export default {
  name: 'shared-folder',
  capabilities: { scope: 'global' },
  checkOptions: () => ({}),
  async create(volume) {
    await mkdir(pathOf(volume), { recursive: true })
  },
  remove: (volume) => rm(pathOf(volume), { recursive: true, force: true }),
  mount: async (volume) => pathOf(volume),
  unmount: async () => undefined,
  path: pathOf,
}
