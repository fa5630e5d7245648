// OpenSSL's headers bring <time.h> along; its structures may then count as either module's.
import COpenSSL
import Glibc

/// The end of a bounded wait.
package struct Deadline: Sendable {
  /// Long enough for a loaded machine with two cores; a test that reaches it has failed.
  package static let usual: Duration = .seconds(usualSeconds)
  package static let usualSeconds = 45

  private let instant: ContinuousClock.Instant

  package init(in duration: Duration = usual) {
    instant = ContinuousClock.now + duration
  }

  package var isReached: Bool { ContinuousClock.now >= instant }

  /// Time left for poll(2), at least 0.
  package var milliseconds: Int32 {
    let left = ContinuousClock.now.duration(to: instant)
    let (seconds, attoseconds) = left.components
    return Int32(clamping: max(0, seconds * 1000 + attoseconds / 1_000_000_000_000_000))
  }

  /// Time left for `pthread_cond_timedwait`, on `CLOCK_REALTIME`.
  var absoluteTime: timespec {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let nanoseconds = time.tv_nsec + Int(milliseconds % 1000) * 1_000_000
    time.tv_sec += Int(milliseconds / 1000) + nanoseconds / 1_000_000_000
    time.tv_nsec = nanoseconds % 1_000_000_000
    return time
  }
}

/// Asks again and again, for things that tell nobody when they change.
///
/// - Parameter what: completes "waited 45 s for …".
/// - Throws: `TestFailure` when the time has run out, and what `look` throws.
package func poll<Result>(
  for what: String, within duration: Duration = Deadline.usual,
  every interval: Duration = .milliseconds(10), _ look: () throws -> Result?
) throws -> Result {
  let deadline = Deadline(in: duration)
  while true {
    if let result = try look() { return result }
    guard !deadline.isReached else { throw TestFailure("waited \(duration) for \(what)") }
    usleep(UInt32(interval / .microseconds(1)))
  }
}
