import { describe, expect, it } from 'vitest'
import { checkDistinct } from '../../src/controller/distinct-drivers.js'

describe('drivers passed to a controller', () => {
  it('may not share a name', () => {
    const wanted = expect.objectContaining({ code: 'ERR_CNM_DRIVER_EXISTS', field: 'ipam' }) as Error
    expect(() => checkDistinct([{ name: 'a' }, { name: 'b' }, { name: 'a' }], 'ipam')).toThrow(wanted)
  })

  it('may have any different names, or be none', () => {
    expect(() => checkDistinct([{ name: 'bridge' }, { name: 'mine' }], 'drivers')).not.toThrow()
    expect(() => checkDistinct(undefined, 'drivers')).not.toThrow()
  })
})
