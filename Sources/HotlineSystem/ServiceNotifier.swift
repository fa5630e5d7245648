import CSystemd
import Glibc

/// Tells the service manager how the daemon fares (sd_notify(3)).
///
/// Any thread. Every call is one datagram, and nothing where `$NOTIFY_SOCKET` is not set.
package struct ServiceNotifier: Sendable {
  package init() {}

  /// Whether a service manager wants to hear from this process.
  package var isEnabled: Bool {
    guard let socket = getenv("NOTIFY_SOCKET") else { return false }
    return socket.pointee != 0
  }

  /// How often the service manager wants ``watchdog()`` at the latest (sd_watchdog_enabled(3)); nil
  /// if it does not. Call it twice as often.
  package var watchdogTimeout: Duration? {
    var microseconds: UInt64 = 0
    guard sd_watchdog_enabled(0, &microseconds) > 0 else { return nil }
    return .microseconds(Int64(clamping: microseconds))
  }

  /// Start-up, or a reload, is complete.
  package func ready(status: String? = nil) {
    send("READY=1" + statusLine(status))
  }

  /// One line for `systemctl status`.
  package func status(_ text: String) {
    send("STATUS=" + LogText.sanitized(text))
  }

  /// The configuration is being read again; ``ready(status:)`` ends it.
  ///
  /// `Type=notify-reload` (systemd 253) wants the time of the reload with it; older ones ignore it.
  package func reloading() {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    let microseconds = Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    send("RELOADING=1\nMONOTONIC_USEC=\(microseconds)")
  }

  /// The daemon has begun to shut down.
  package func stopping(status: String? = nil) {
    send("STOPPING=1" + statusLine(status))
  }

  /// Asks for more time to start, reload or stop, counted from now.
  package func extendTimeout(by duration: Duration) {
    send("EXTEND_TIMEOUT_USEC=\(max(0, duration / .microseconds(1)).wholeNumber)")
  }

  /// The daemon is alive.
  package func watchdog() {
    send("WATCHDOG=1")
  }

  /// A line feed in a status would begin another assignment, hence sanitised.
  private func statusLine(_ status: String?) -> String {
    status.map { "\nSTATUS=" + LogText.sanitized($0) } ?? ""
  }

  private func send(_ state: String) {
    // A failure has no remedy here: the service manager acts on the silence.
    _ = sd_notify(0, state)
  }
}

extension Double {
  fileprivate var wholeNumber: Int64 { Int64(exactly: rounded(.down)) ?? .max }
}
