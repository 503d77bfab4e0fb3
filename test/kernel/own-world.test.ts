import { once } from 'node:events'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Worker } from 'node:worker_threads'

const PARENT = process.ppid

describe('the world of a test file', () => {
  it('is not that of the process that started it', () => {
    for (const kind of ['net', 'mnt']) expect(readlinkSync(`/proc/self/ns/${kind}`)).not.toBe(readlinkSync(`/proc/${PARENT}/ns/${kind}`))
  })

  it('has no interface but loopback, which is up', async () => {
    const links = readFileSync('/proc/self/net/dev', 'utf8').trim().split('\n').slice(2)
    expect(links.map((line) => line.trim().split(':')[0])).toEqual(['lo'])
    expect(readdirSync('/sys/class/net')).toEqual(['lo'])
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    server.close()
  })

  it('has an empty /run/netns and /var/lib', () => {
    expect(readdirSync('/run/netns')).toEqual([])
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    expect(mounts).toMatch(/ \/run \S+ - tmpfs /)
  })

  it('is shared by the threads that tests start', async () => {
    const worker = new Worker(
      `require('node:worker_threads').parentPort.postMessage(require('node:fs').readlinkSync('/proc/thread-self/ns/net'))`,
      { eval: true },
    )
    const [namespace] = (await once(worker, 'message')) as [string]
    await worker.terminate()
    expect(namespace).toBe(readlinkSync('/proc/self/ns/net'))
  })
})
