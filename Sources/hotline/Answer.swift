import HotlineWire

/// Follows one request from its first line to its last; decides what is printed and how to end.
///
/// Pure: bytes of lines in, bytes of text out.
struct Answer {
  private var text: AnswerText
  private let keepsResponse: Bool
  /// The terminal event's `response` as it is spelt, if it is to be kept.
  private(set) var response: [UInt8]?
  /// The first cause of a failure; later ones only follow from it.
  private(set) var failure: FailureReport?
  /// The reason that the server gave for an incomplete answer.
  private var incompleteReason: String?
  private(set) var summary: AnswerSummary?
  /// The last line has come.
  private(set) var isOver = false

  /// The text so far is empty or ends with an LF.
  var endsLine: Bool { text.endsLine }

  /// - Parameters:
  ///   - keepsResponse: print no text, keep the final response.
  ///   - dropsControls: see ``AnswerText``.
  init(keepsResponse: Bool, dropsControls: Bool) {
    self.keepsResponse = keepsResponse
    text = AnswerText(dropsControls: dropsControls)
  }

  /// - Throws: `.failed` for a line that is no JSON object.
  mutating func lineArrived(
    _ bytes: UnsafeRawBufferPointer, to out: inout ByteQueue
  ) throws(CommandFailure) {
    guard !isOver else { return }
    let line: DaemonLine
    do throws(JSONError) {
      line = try DaemonLine(bytes)
    } catch {
      throw CommandFailure(
        .failed,
        "what answers is no hotlined: it sent a line that is no JSON object (\(error)); "
          + "check the socket's path with \"hotline get-sockname\"")
    }
    switch line.kind {
    case .textDelta:
      if let delta = line.delta, !keepsResponse { text.append(delta, in: bytes, to: &out) }
    case .terminal: terminalArrived(line)
    case .error: errorArrived(bytes)
    case .done:
      summary = JSONView(line: bytes).map { AnswerSummary(doneLine: $0) }
      isOver = true
    case .other: break
    }
    if isOver { text.finish(to: &out) }
  }

  private mutating func terminalArrived(_ line: DaemonLine) {
    guard let object = line.response else { return }
    if keepsResponse { response = Array(object.bytes) }
    incompleteReason = object["incomplete_details"]?["reason"]?.string
    if failure == nil, let error = object["error"] {
      failure = FailureReport(responseError: error)
    }
  }

  private mutating func errorArrived(_ bytes: UnsafeRawBufferPointer) {
    guard let report = JSONView(line: bytes).map({ FailureReport(errorLine: $0) }) else { return }
    if failure == nil { failure = report }
    isOver = !report.isAccepted
  }

  /// How the command ends; nil if all went well. To be asked when the last line has come.
  var ending: CommandFailure? {
    switch summary?.outcome {
    case "completed":
      guard keepsResponse, response == nil else { return nil }
      return CommandFailure(
        .failed, "the server ended the answer without a response object; ask without --json")
    case "incomplete":
      let reason = incompleteReason.map { " (\($0))" } ?? ""
      return CommandFailure(
        .incomplete, "incomplete: the server cut the answer short\(reason); ask for less at once")
    case "cancelled" where failure == nil:
      return CommandFailure(.failed, "cancelled: the request was cancelled by somebody else")
    default:
      guard let failure else {
        return CommandFailure(.failed, "failed: the server gave no reason; try again")
      }
      return CommandFailure(failure.exitStatus, failure.sentence)
    }
  }
}
