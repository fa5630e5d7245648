import Glibc
import HotlineCore

/// Waiting for descriptors: the only place where the program sleeps.
enum Polling {
  /// Waits until one of `slots` is ready, a signal was handled, or `deadline` has come.
  ///
  /// A slot with descriptor -1 is left out. Returns with no slot ready in the latter two cases.
  static func wait(for slots: inout [pollfd], until deadline: MonotonicInstant? = nil) {
    let count = nfds_t(slots.count)
    guard poll(&slots, count, milliseconds(until: deadline)) < 0 else { return }
    for index in slots.indices { slots[index].revents = 0 }
  }

  static func slot(_ descriptor: Int32, _ events: Int32...) -> pollfd {
    pollfd(fd: descriptor, events: Int16(truncatingIfNeeded: events.reduce(0, |)), revents: 0)
  }

  /// Rounded up, so that the deadline has come when the time is over; -1 for none (poll(2)).
  private static func milliseconds(until deadline: MonotonicInstant?) -> Int32 {
    guard let deadline else { return -1 }
    let nanoseconds = MonotonicInstant.current().duration(to: deadline).wholeNanoseconds
    guard nanoseconds > 0 else { return 0 }
    return Int32(clamping: (nanoseconds - 1) / 1_000_000 + 1)
  }
}

extension pollfd {
  /// Something can be read, or reading will say why not.
  var isReadable: Bool { has(POLLIN | POLLHUP | POLLERR | POLLNVAL) }
  var isWritable: Bool { has(POLLOUT | POLLERR) }
  /// Whoever read at the other end has gone.
  var isBroken: Bool { has(POLLERR | POLLHUP) }

  private func has(_ events: Int32) -> Bool { Int32(revents) & events != 0 }
}

extension MonotonicInstant {
  static func current() -> MonotonicInstant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return MonotonicInstant(
      nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }
}
