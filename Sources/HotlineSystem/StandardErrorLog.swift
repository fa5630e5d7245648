import Logging

/// Writes log lines to standard error: for a person at a terminal, as JSON, or to the journal with
/// fields.
///
/// Any thread. A line is one system call of at most ``lineBytesMax`` bytes, sanitised. A line that
/// cannot be written at once is dropped and counted, so that a full disk, a stuck pipe or a closed
/// descriptor never holds the daemon up; the next line that gets through says how many were lost.
package struct StandardErrorLog: LogHandler {
  /// PIPE_BUF (pipe(7)): up to here a write to a pipe is atomic and, after poll(2), does not block.
  package static let lineBytesMax = 4096

  package var logLevel: Logger.Level
  package var metadata: Logger.Metadata = [:]
  package var metadataProvider: Logger.MetadataProvider?
  private let output: LogOutput
  private let messageIDs: [String: String]
  private let repeats: RepeatLimit?

  /// - Parameters:
  ///   - messageIDs: of messages that programs look for and the journal explains, by their words.
  ///   - repeats: nil for no limit. It never keeps back what is below `info`: who asks for that,
  ///     asks for all of it.
  package init(
    level: Logger.Level = .info, output: LogOutput = LogOutput(),
    messageIDs: [String: String] = [:], repeats: RepeatLimit? = nil
  ) {
    logLevel = level
    self.output = output
    self.messageIDs = messageIDs
    self.repeats = repeats
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
    var record = LogRecord(event, fields)
    record.messageID = messageIDs[record.message]
    guard let repeats, event.level >= .info else { return output.write(record) }
    let (isAdmitted, over) = repeats.admits(
      record.message, upstream: record.value("upstream"), at: MonotonicTime.now)
    for each in over { output.write(LogRecord(each, event)) }
    if isAdmitted { output.write(record) }
  }
}

extension LogRecord {
  /// The line that stands for those which were left out.
  fileprivate init(_ suppressed: RepeatLimit.Suppressed, _ event: LogEvent) {
    var metadata: Logger.Metadata = [
      "lines": "\(suppressed.count)", "message_repeated": "\(suppressed.message)",
    ]
    if let upstream = suppressed.upstream { metadata["upstream"] = "\(upstream)" }
    self.init(
      LogEvent(
        level: .notice, message: "the same was left out more often", metadata: nil, source: nil,
        file: event.file, function: event.function, line: event.line), metadata)
  }
}
