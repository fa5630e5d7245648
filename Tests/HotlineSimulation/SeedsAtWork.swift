import Glibc

/// Which seeds are being run, so that a trap in the core, which ends the process, names its seed.
package enum SeedsAtWork {
  static let workersMax = 256

  /// One word a worker, 0 where it has none. Written by its worker, read when all is lost: a torn
  /// word is not to be feared on a machine of 64 bits.
  private nonisolated(unsafe) static let seeds: UnsafeMutablePointer<UInt64> = {
    let seeds = UnsafeMutablePointer<UInt64>.allocate(capacity: workersMax)
    seeds.initialize(repeating: 0, count: workersMax)
    return seeds
  }()

  package static func note(_ seed: UInt64?, of worker: Int) {
    seeds[worker % workersMax] = seed ?? 0
  }

  /// Lets a trap say which seeds were being run before it ends the process.
  package static func tellOnTrap() {
    note(nil, of: 0)
    for trap in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE] {
      signal(trap) { trap in
        SeedsAtWork.say("the broker trapped in one of these seeds:")
        for worker in 0..<SeedsAtWork.workersMax where SeedsAtWork.seeds[worker] != 0 {
          SeedsAtWork.say(SeedsAtWork.seeds[worker])
        }
        SeedsAtWork.say("\nsee contrib/simulate --seed N\n")
        signal(trap, SIG_DFL)
        raise(trap)
      }
    }
  }

  // MARK: Without memory of its own, as in a signal's handler

  private static func say(_ text: StaticString) {
    _ = write(2, text.utf8Start, text.utf8CodeUnitCount)
  }

  private static func say(_ number: UInt64) {
    var power: UInt64 = 1
    while number / power >= 10 { power *= 10 }
    say(" ")
    while power > 0 {
      var digit = UInt8(48 + number / power % 10)
      _ = write(2, &digit, 1)
      power /= 10
    }
  }
}
