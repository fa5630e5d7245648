import Glibc
import Logging
import Synchronization

/// How log lines look.
package enum LogFormat: String, Hashable, Sendable, CaseIterable {
  /// Entries with fields where the reader is the journal, else text.
  case auto
  /// The time, the level, the message and its fields.
  case text
  /// One JSON object a line.
  case json
}

/// Where log lines go: a descriptor, or the journal that it leads to.
package final class LogOutput: Sendable {
  private enum Kind {
    case socket, other
  }

  private enum Form {
    /// Lines with the time and the level.
    case text
    /// Lines that begin with a syslog priority: the reader is the journal (sd-daemon(3)).
    case priorities
    case json
  }

  private let descriptor: Int32
  private let kind: Kind
  private let form: Form
  private let journal: JournalSocket?
  private let dropped = Atomic<Int>(0)

  /// - Parameters:
  ///   - journalStream: `$JOURNAL_STREAM`, "device:inode" of the stream that systemd connected to
  ///     the journal (systemd.exec(5)); with another descriptor the reader is not the journal.
  ///   - journalSocket: where the journal takes entries with fields; nil for lines with priorities.
  package init(
    descriptor: Int32 = STDERR_FILENO, journalStream: String? = LogOutput.journalStream,
    journalSocket: String? = nil, format: LogFormat = .auto
  ) {
    self.descriptor = descriptor
    var status = stat()
    let isOpen = fstat(descriptor, &status) == 0
    kind = isOpen && status.st_mode & S_IFMT == S_IFSOCK ? .socket : .other
    let isJournal = isOpen && journalStream == "\(status.st_dev):\(status.st_ino)"
    switch format {
    case .auto: form = isJournal ? .priorities : .text
    case .text: form = .text
    case .json: form = .json
    }
    let isNative = format == .auto && isJournal
    journal = isNative ? journalSocket.flatMap(JournalSocket.init(path:)) : nil
  }

  /// This process's standard error.
  package static func standardError(_ format: LogFormat) -> LogOutput {
    LogOutput(journalSocket: JournalSocket.standardPath, format: format)
  }

  /// `$JOURNAL_STREAM` of this process.
  package static var journalStream: String? {
    getenv("JOURNAL_STREAM").map { String(cString: $0) }
  }

  /// Writes one line, or drops it.
  func write(_ record: LogRecord) {
    let lost = dropped.exchange(0, ordering: .relaxed)
    var record = record
    if lost > 0 { record.fields.append(.init(name: "log_lines_dropped", value: "\(lost)")) }
    if !deliver(record) { dropped.add(lost + 1, ordering: .relaxed) }
  }

  private func deliver(_ record: LogRecord) -> Bool {
    if let journal {
      switch journal.send(record.journalEntry(identifier: "hotlined")) {
      case .sent: return true
      case .busy: return false
      case .failed: break
      }
    }
    return writeAtOnce(line(record))
  }

  private func line(_ record: LogRecord) -> [UInt8] {
    let text =
      switch form {
      case .text: "\(Self.timestamp()) \(record.level): \(record.text)"
      case .priorities: "<\(record.level.syslogPriority)>\(record.text)"
      case .json: record.json(time: Self.timestamp())
      }
    return Array((LogText.cut(text, bytesMax: StandardErrorLog.lineBytesMax - 1) + "\n").utf8)
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

  /// Now, in UTC with milliseconds: `2026-11-23T02:50:00.123Z` (RFC 3339). Any thread.
  package static func timestamp() -> String {
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
