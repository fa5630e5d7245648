import Glibc
import Logging
import Synchronization

/// Writes log lines to standard error: for a person at a terminal, or with priorities for the
/// journal.
///
/// Any thread. A line is one write(2) of at most ``lineBytesMax`` bytes, sanitised. A line that
/// cannot be written at once is dropped and counted, so that a full disk, a stuck pipe or a closed
/// descriptor never holds the daemon up; the next line that gets through says how many were lost.
package struct StandardErrorLog: LogHandler {
  /// PIPE_BUF (pipe(7)): up to here a write to a pipe is atomic and, after poll(2), does not block.
  package static let lineBytesMax = 4096

  package var logLevel: Logger.Level
  package var metadata: Logger.Metadata = [:]
  package var metadataProvider: Logger.MetadataProvider?
  private let output: LogOutput

  package init(level: Logger.Level = .info, output: LogOutput = LogOutput()) {
    logLevel = level
    self.output = output
  }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    var fields = metadata
    if let provided = metadataProvider?.get() {
      fields.merge(provided) { _, new in new }
    }
    if let own = event.metadata {
      fields.merge(own) { _, new in new }
    }
    var line = LogText.sanitized(event.message.description)
    for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
      line += " \(LogText.sanitized(key))=\(Self.quoted(value.description))"
    }
    if let error = event.error {
      line += " error=\(Self.quoted(String(describing: error)))"
    }
    output.write(line, level: event.level)
  }

  /// A value that ends at a space needs no quotes; all others get them.
  private static func quoted(_ value: String) -> String {
    let text = LogText.sanitized(value)
    let needsQuotes = text.isEmpty || text.utf8.contains { $0 == 0x20 || $0 == 0x22 || $0 == 0x3D }
    guard needsQuotes else { return text }
    return "\""
      + text.split(separator: "\"", omittingEmptySubsequences: false)
      .joined(separator: "\\\"") + "\""
  }
}

/// The descriptor that log lines go to.
package final class LogOutput: Sendable {
  private enum Kind {
    case socket, other
  }

  private let descriptor: Int32
  private let kind: Kind
  /// Lines begin with a syslog priority instead of the time: the reader is the journal.
  private let hasPriorities: Bool
  private let dropped = Atomic<Int>(0)

  /// - Parameter journalStream: `$JOURNAL_STREAM`, "device:inode" of the stream that systemd
  ///   connected to the journal (systemd.exec(5)); another descriptor gets no priorities.
  package init(descriptor: Int32 = STDERR_FILENO, journalStream: String? = LogOutput.journalStream)
  {
    self.descriptor = descriptor
    var status = stat()
    let isOpen = fstat(descriptor, &status) == 0
    kind = isOpen && status.st_mode & S_IFMT == S_IFSOCK ? .socket : .other
    hasPriorities = isOpen && journalStream == "\(status.st_dev):\(status.st_ino)"
  }

  /// `$JOURNAL_STREAM` of this process.
  package static var journalStream: String? {
    getenv("JOURNAL_STREAM").map { String(cString: $0) }
  }

  /// Writes one line, or drops it. `text` is sanitised already and has no line feed.
  func write(_ text: String, level: Logger.Level) {
    let lost = dropped.exchange(0, ordering: .relaxed)
    var line = hasPriorities ? "<\(level.syslogPriority)>" : "\(Self.timestamp()) \(level): "
    line += text
    if lost > 0 { line += " log_lines_dropped=\(lost)" }
    var bytes = Array(line.utf8)
    if bytes.count >= StandardErrorLog.lineBytesMax { Self.truncate(&bytes) }
    bytes.append(UInt8(ascii: "\n"))
    if !writeAtOnce(bytes) { dropped.add(lost + 1, ordering: .relaxed) }
  }

  /// Cuts before a UTF-8 sequence, never inside one.
  private static func truncate(_ bytes: inout [UInt8]) {
    let mark = Array("…".utf8)
    bytes.removeSubrange((StandardErrorLog.lineBytesMax - 1 - mark.count)...)
    while let last = bytes.last, last & 0xC0 == 0x80 { bytes.removeLast() }
    if let last = bytes.last, last >= 0xC0 { bytes.removeLast() }
    bytes += mark
  }

  private func writeAtOnce(_ bytes: [UInt8]) -> Bool {
    switch kind {
    case .socket:
      return send(
        descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        == bytes.count
    case .other:
      var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      guard poll(&ready, 1, 0) == 1, ready.revents & Int16(POLLOUT) != 0 else { return false }
      return Glibc.write(descriptor, bytes, bytes.count) == bytes.count
    }
  }

  /// UTC with milliseconds (RFC 3339).
  private static func timestamp() -> String {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    var parts = tm()
    gmtime_r(&now.tv_sec, &parts)
    return "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-"
      + "\(padded(Int(parts.tm_mday), 2))T\(padded(Int(parts.tm_hour), 2)):"
      + "\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))."
      + "\(padded(now.tv_nsec / 1_000_000, 3))Z"
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }
}

extension Logger.Level {
  /// The priority of syslog(3) that sd-daemon(3) prefixes stand for.
  fileprivate var syslogPriority: Int {
    switch self {
    case .trace, .debug: 7
    case .info: 6
    case .notice: 5
    case .warning: 4
    case .error: 3
    case .critical: 2
    }
  }
}
