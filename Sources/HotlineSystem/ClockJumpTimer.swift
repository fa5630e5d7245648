import CSystemd
import Glibc

enum MonotonicTime {
  /// CLOCK_MONOTONIC, the clock that poll(2) waits by; it stands still while the machine sleeps.
  static var now: Duration { of(CLOCK_MONOTONIC) }

  static func of(_ clock: clockid_t) -> Duration {
    var time = timespec()
    clock_gettime(clock, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}

/// How far the other clocks are ahead of the monotonic one.
struct ClockOffsets: Hashable {
  var wall: Duration
  /// Grows by the time that the machine sleeps, and by nothing else (CLOCK_BOOTTIME).
  var slept: Duration

  static var now: ClockOffsets {
    let monotonic = MonotonicTime.now
    return ClockOffsets(
      wall: MonotonicTime.of(CLOCK_REALTIME) - monotonic,
      slept: MonotonicTime.of(CLOCK_BOOTTIME) - monotonic)
  }

  /// Whether the wall clock was set, or the machine slept, by `least` or more in between.
  func hasJumped(since earlier: ClockOffsets, least: Duration) -> Bool {
    let step = wall - earlier.wall
    return max(step, .zero - step) >= least || slept - earlier.slept >= least
  }
}

/// A timer that never expires, but is cancelled when the wall clock jumps (timerfd_create(2),
/// TFD_TIMER_CANCEL_ON_SET): the one way to hear of it without looking from time to time.
final class ClockJumpTimer {
  let descriptor: Int32
  private let jumpMin: Duration
  private var offsets: ClockOffsets

  /// Fails where the kernel refuses such a timer.
  static func open(jumpMin: Duration) -> Result<ChangeSource, SystemCallError> {
    do throws(SystemCallError) {
      let timer = try ClockJumpTimer(jumpMin: jumpMin)
      return .success(ChangeSource(descriptor: timer.descriptor, read: timer.read))
    } catch {
      return .failure(error)
    }
  }

  /// The caller closes ``descriptor``.
  init(jumpMin: Duration) throws(SystemCallError) {
    self.jumpMin = jumpMin
    descriptor = hotline_timerfd_create(Int32(CLOCK_REALTIME), Int32(O_CLOEXEC | O_NONBLOCK))
    guard descriptor >= 0 else { throw SystemCallError("timerfd_create") }
    offsets = .now
    guard Self.arm(descriptor) else {
      let error = SystemCallError("timerfd_settime")
      close(descriptor)
      throw error
    }
    offsets = .now
  }

  /// TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET.
  private static let flags: Int32 = 1 << 0 | 1 << 1

  private static func arm(_ descriptor: Int32) -> Bool {
    var never = itimerspec()
    never.it_value.tv_sec = .max
    if hotline_timerfd_settime(descriptor, flags, &never, nil) == 0 { return true }
    // The clock jumped just before; the timer is armed nevertheless.
    return errno == ECANCELED
  }

  func read() -> ChangeSource.Reading {
    var expirations: UInt64 = 0
    guard Glibc.read(descriptor, &expirations, MemoryLayout<UInt64>.size) < 0 else {
      return .unchanged
    }
    switch errno {
    case ECANCELED: return clockWasSet()
    case EAGAIN, EINTR: return .unchanged
    default: return .broken
    }
  }

  private func clockWasSet() -> ChangeSource.Reading {
    guard Self.arm(descriptor) else { return .broken }
    // After arming: a jump in between shows here, and again at the timer, where it is none.
    return moved(to: .now) ? .changed : .unchanged
  }

  /// Whether the clocks have jumped since the last call.
  func moved(to now: ClockOffsets) -> Bool {
    defer { offsets = now }
    return now.hasJumped(since: offsets, least: jumpMin)
  }
}
