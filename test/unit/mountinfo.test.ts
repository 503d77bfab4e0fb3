import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseMountinfo } from '../../src/kernel/mountinfo.js'

/** From proc_pid_mountinfo(5), with more propagation fields. */
const LINE = '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue'

describe('mountinfo', () => {
  it('is read field by field, whatever the number of propagation fields', () => {
    expect(parseMountinfo(`${LINE}\n`)).toEqual([
      {
        id: 36,
        parent: 35,
        device: '98:0',
        root: '/mnt1',
        target: '/mnt2',
        options: ['rw', 'noatime'],
        propagation: ['master:1', 'shared:7'],
        type: 'ext3',
        source: '/dev/root',
        superOptions: ['rw', 'errors=continue'],
      },
    ])
    expect(parseMountinfo(LINE.replace('master:1 shared:7 ', ''))[0]).toMatchObject({ propagation: [], type: 'ext3' })
    // A hyphen may be a mount point.
    expect(parseMountinfo('1 2 0:1 / - rw - tmpfs - rw')[0]).toMatchObject({ target: '-', source: '-' })
  })

  it('gives back spaces, backslashes and letters of any alphabet', () => {
    const escape = (text: string): string => text.replace(/[ \t\n\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (name) => {
        const target = `/${name.replaceAll('\0', '')}`
        expect(parseMountinfo(`1 2 0:1 / ${escape(target)} rw - tmpfs none rw`)[0]?.target).toBe(target)
      }),
    )
  })

  it('leaves out what is no mount, and never throws', () => {
    expect(parseMountinfo('\n\nnonsense\n36 35 98:0 /mnt1 /mnt2 rw\n')).toEqual([])
    fc.assert(fc.property(fc.string(), (text) => void parseMountinfo(text)))
  })
})
