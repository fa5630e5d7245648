import Glibc
import HotlineCore

/// A line on a terminal that is drawn again and again, and is gone before anything else is written.
struct TransientLine {
  private let descriptor: Int32
  private var isShown = false
  /// What the terminal shows can be more than ASCII.
  let isUnicode: Bool

  /// Nil where nothing can be drawn over: no terminal, or one that cannot move its cursor.
  init?(_ descriptor: Int32 = STDERR_FILENO) {
    let kind = Self.variable("TERM")
    guard isatty(descriptor) == 1, let kind, kind != "dumb" else { return nil }
    self.descriptor = descriptor
    // The first that is set decides (locale(7)).
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(Self.variable).first ?? ""
    isUnicode = locale.uppercased().contains("UTF-8") || locale.uppercased().contains("UTF8")
  }

  /// `nil` too where it is empty.
  private static func variable(_ name: String) -> String? {
    getenv(name).flatMap { $0.pointee == 0 ? nil : String(cString: $0) }
  }

  var columns: Int {
    var size = winsize()
    // One is left free, as some terminals go to the next line behind the last.
    let isKnown = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 1
    return (isKnown ? Int(size.ws_col) : 80) - 1
  }

  /// Shows `text`, which has no control characters, in place of what is there; skipped while the
  /// terminal takes nothing.
  mutating func draw(_ text: String) {
    write("\r\(text.prefix(columns))\u{1B}[K", orSkip: true)
    isShown = true
  }

  mutating func erase() {
    guard isShown else { return }
    write("\r\u{1B}[K", orSkip: false)
    isShown = false
  }

  private func write(_ text: String, orSkip skips: Bool) {
    if skips {
      var slots = [Polling.slot(descriptor, POLLOUT)]
      Polling.wait(for: &slots, until: MonotonicInstant(nanoseconds: 0))
      guard slots[0].isWritable else { return }
    }
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
  }
}
