import HotlineCore
import HotlineWire

/// Follows one request from its first line to its last; decides what is printed and how to end.
///
/// Pure: bytes of lines in, bytes of text out.
struct Answer {
  /// What is printed.
  enum Form: Hashable {
    case text
    /// The final response object, as one line.
    case response
    /// Every line as it comes.
    case lines
  }

  /// What the request is about, for who waits for its text.
  enum Activity: Hashable {
    case waiting
    /// The daemon has told why it is not sent yet, in a word of the protocol.
    case queued(reason: String, position: Int?)
    /// The server has said something, but no text.
    case thinking
    case answering
  }

  private var text: AnswerText
  private let form: Form
  private let dropsControls: Bool
  private(set) var activity = Activity.waiting
  /// The terminal event's `response` as it is spelt, if it is to be printed.
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

  /// - Parameter dropsControls: see ``AnswerText``; in JSON they are escaped.
  init(_ form: Form, dropsControls: Bool) {
    self.form = form
    self.dropsControls = dropsControls
    text = AnswerText(dropsControls: dropsControls)
  }

  /// - Throws: `.failed` for a line that is no JSON object.
  mutating func lineArrived(
    _ bytes: UnsafeRawBufferPointer, to out: inout ByteQueue
  ) throws(CommandFailure) {
    guard !isOver else { return }
    let line = try DaemonLine.read(bytes)
    if form == .lines {
      out.append(printable(bytes))
      out.append([0x0A])
    }
    read(line, bytes, to: &out)
    if isOver { text.finish(to: &out) }
  }

  private mutating func read(
    _ line: DaemonLine, _ bytes: UnsafeRawBufferPointer, to out: inout ByteQueue
  ) {
    switch line.kind {
    case .textDelta:
      activity = .answering
      if let delta = line.delta, form == .text { text.append(delta, in: bytes, to: &out) }
    case .refusal:
      guard failure == nil, let words = line.refusal else { return }
      failure = FailureReport(code: "refusal", message: words.decoded(in: bytes).description)
    case .queued:
      let view = JSONView(line: bytes)
      activity = .queued(
        reason: view?["reason"]?.string ?? "", position: view?["position"]?.integer)
    case .terminal: terminalArrived(line)
    case .error: errorArrived(bytes)
    case .done:
      summary = JSONView(line: bytes).map { AnswerSummary(doneLine: $0) }
      isOver = true
    case .event: if activity != .answering { activity = .thinking }
    case .other: break
    }
  }

  private mutating func terminalArrived(_ line: DaemonLine) {
    guard let object = line.response else { return }
    if form == .response { response = printable(object.bytes) }
    incompleteReason = object["incomplete_details"]?["reason"]?.string
    if failure == nil, let error = object["error"] {
      failure = FailureReport(responseError: error)
    }
  }

  private func printable(_ json: UnsafeRawBufferPointer) -> [UInt8] {
    dropsControls ? PrintableText.json(json) : Array(json)
  }

  private mutating func errorArrived(_ bytes: UnsafeRawBufferPointer) {
    guard let report = JSONView(line: bytes).map({ FailureReport(errorLine: $0) }) else { return }
    if failure == nil { failure = report }
    isOver = !report.isAccepted
  }

  /// How the command ends; nil if all went well. To be asked when the last line has come.
  var ending: CommandFailure? {
    switch summary?.outcome {
    case "completed" where failure?.code == "refusal": break
    case "completed":
      guard form == .response, response == nil else { return nil }
      return CommandFailure(
        .failed, "the server ended the answer without a response object; ask without --json")
    case "incomplete":
      let reason = incompleteReason.map { " (\($0))" } ?? ""
      return CommandFailure(
        .incomplete, "incomplete: the server cut the answer short\(reason); ask for less at once")
    case "cancelled" where failure == nil:
      return CommandFailure(
        .failed,
        "cancelled: the request was cancelled by somebody else; ask again if that was a mistake")
    default: break
    }
    guard let failure else {
      return CommandFailure(.failed, "failed: the server gave no reason; try again")
    }
    return CommandFailure(failure.exitStatus, failure.sentence)
  }

  /// The response that the request was to follow is no longer where it was, and nothing came of it.
  var isConversationLost: Bool {
    guard activity != .answering else { return false }
    return failure?.code == "conversation_lost" || failure?.code == "previous_response_not_found"
  }
}
