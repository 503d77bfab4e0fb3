// Preloaded into a host's process and its threads: the wall clock is off by so many milliseconds. The passing of time is not.
const offset = Number(process.env.LIBCNM_TEST_CLOCK_OFFSET)
const RealDate = globalThis.Date

globalThis.Date = class Date extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + offset)
    else super(...args)
  }
  static now() {
    return RealDate.now() + offset
  }
}
