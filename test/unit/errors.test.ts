import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { CnmError } from '../../src/contracts/errors.js'
import { errnoName, errnoText } from '../../src/kernel/errno.js'
import { asCnmError, isMissing, kernelError, type Subject } from '../../src/kernel/errors.js'
import { NamespaceLost } from '../../src/kernel/namespace-lost.js'
import { SystemCallError } from '../../src/kernel/system-call-error.js'
import { fromWire, toWire } from '../../src/kernel/wire.js'

const { EPERM, EACCES, EOPNOTSUPP, EEXIST, ENODEV, ENOENT, ESRCH, EBUSY, EAGAIN, EDEADLK } = constants.errno

describe('error numbers', () => {
  it('have the names of errno(3)', () => {
    expect([1, 2, 11, 17, 19, 95, 117, 524].map(errnoName)).toEqual([
      'EPERM',
      'ENOENT',
      'EAGAIN',
      'EEXIST',
      'ENODEV',
      'EOPNOTSUPP',
      'EUCLEAN',
      'ENOTSUPP',
    ])
    expect([EAGAIN, EDEADLK].map(errnoName)).toEqual(['EAGAIN', 'EDEADLK'])
    expect(errnoName(4000)).toBe('E4000')
    expect(errnoText(17)).toBe('file already exists')
    expect(errnoText(4000)).toBe('E4000')
  })
})

describe('what the kernel refuses', () => {
  const cases: [errno: number, subject: Subject, code: string][] = [
    [EPERM, 'link', 'ERR_CNM_NOT_PERMITTED'],
    [EACCES, 'socket', 'ERR_CNM_NOT_PERMITTED'],
    [EOPNOTSUPP, 'link', 'ERR_CNM_NOT_SUPPORTED'],
    [524, 'other', 'ERR_CNM_NOT_SUPPORTED'],
    [EEXIST, 'link', 'ERR_CNM_LINK_EXISTS'],
    [EEXIST, 'namespace', 'ERR_CNM_NAMESPACE_EXISTS'],
    [EEXIST, 'other', 'ERR_CNM_KERNEL'],
    [ENODEV, 'link', 'ERR_CNM_LINK_NOT_FOUND'],
    [ENODEV, 'other', 'ERR_CNM_LINK_NOT_FOUND'],
    [ENODEV, 'socket', 'ERR_CNM_KERNEL'],
    [ENODEV, 'mount', 'ERR_CNM_NOT_SUPPORTED'],
    [ENOENT, 'namespace', 'ERR_CNM_NAMESPACE_NOT_FOUND'],
    [ENOENT, 'other', 'ERR_CNM_KERNEL'],
    [EBUSY, 'link', 'ERR_CNM_KERNEL'],
  ]
  for (const [errno, subject, code] of cases) {
    it(`${errnoName(errno)} about ${subject} is ${code}`, () => {
      expect(kernelError({ errno, subject, operation: 'x' })).toMatchObject({ code, errno, errnoName: errnoName(errno) })
    })
  }

  it('is said in the words of the kernel, or else of the C library', () => {
    const operation = 'ip link add br0 type bridge'
    expect(kernelError({ errno: EBUSY, text: 'Device is busy today', operation, operationIndex: 3 })).toMatchObject({
      message: 'ip link add br0 type bridge: Device is busy today (EBUSY)',
      kernelText: 'Device is busy today',
      operation,
      operationIndex: 3,
    })
    const plain = kernelError({ errno: EBUSY, operation })
    expect(plain.message).toBe('ip link add br0 type bridge: resource busy or locked (EBUSY)')
    expect(plain.kernelText).toBeUndefined()
  })
})

describe('whatever was thrown', () => {
  it('becomes a CnmError that names the operation', () => {
    expect(asCnmError(new SystemCallError('setns', EPERM), 'enter', 'namespace', 2)).toMatchObject({
      code: 'ERR_CNM_NOT_PERMITTED',
      operation: 'enter',
      operationIndex: 2,
    })
    expect(asCnmError(Object.assign(new Error('ENOENT: no'), { errno: -ENOENT, code: 'ENOENT' }), 'read')).toMatchObject({
      errnoName: 'ENOENT',
      operation: 'read',
    })
    expect(asCnmError('strange', 'try')).toMatchObject({ code: 'ERR_CNM_KERNEL', message: 'try: strange' })
  })

  it('keeps what a CnmError says already', () => {
    const original = new CnmError('ERR_CNM_INVALID_ARGUMENT', 'mtu: -1', { field: 'mtu' })
    expect(asCnmError(original, 'ip link add x')).toBe(original)
    expect(asCnmError(original, 'ip link add x', 'link', 4)).toMatchObject({
      code: 'ERR_CNM_INVALID_ARGUMENT',
      message: 'ip link add x: mtu: -1',
      field: 'mtu',
      operationIndex: 4,
    })
    const placed = kernelError({ errno: EBUSY, operation: 'first', operationIndex: 0 })
    expect(asCnmError(placed, 'second', 'other', 1)).toBe(placed)
  })

  it('goes on when the thread has lost its namespace', () => {
    const lost = new NamespaceLost('no way back')
    expect(() => asCnmError(lost, 'anything')).toThrow(lost)
  })

  it('means that an object is missing, or does not', () => {
    for (const errno of [ENOENT, ESRCH, ENODEV]) expect(isMissing(new SystemCallError('x', errno))).toBe(true)
    expect(isMissing(new CnmError('ERR_CNM_NAMESPACE_NOT_FOUND', 'gone'))).toBe(true)
    for (const error of [new SystemCallError('x', EBUSY), new Error('x'), 'x', undefined]) expect(isMissing(error)).toBe(false)
  })
})

describe('errors on their way from the kernel thread', () => {
  const sent = (error: unknown): Error => fromWire(JSON.parse(JSON.stringify(toWire(error))))

  it('arrive with code, fields and causes', () => {
    const undo = [kernelError({ errno: EBUSY, operation: 'undo: a' }), kernelError({ errno: EPERM, operation: 'undo: b' })]
    const error = kernelError({
      errno: EEXIST,
      text: 'words',
      operation: 'x',
      subject: 'link',
      operationIndex: 1,
      cause: new AggregateError(undo, 'undo failed'),
    })
    const arrived = sent(error) as CnmError & { cause: AggregateError }
    expect(arrived).toBeInstanceOf(CnmError)
    expect(arrived.toJSON()).toEqual(error.toJSON())
    expect(arrived.cause).toBeInstanceOf(AggregateError)
    expect((arrived.cause.errors as CnmError[]).map(({ code, operation }) => [code, operation])).toEqual([
      ['ERR_CNM_KERNEL', 'undo: a'],
      ['ERR_CNM_NOT_PERMITTED', 'undo: b'],
    ])
  })

  it('arrive when they are none of ours, or their own cause', () => {
    expect(sent('text').message).toBe('text')
    const round = new Error('round')
    round.cause = round
    expect(sent(round).message).toBe('round')
  })
})
