import Foundation
import TestSupport

/// One request with a token of its own, and the check of every line that is labelled with it.
struct ChaosRequest {
  enum Stage: Equatable {
    /// Accepted, as far as is known.
    case open
    /// An error that ends it was read; its last line comes next.
    case erred(isOfTheDaemon: Bool)
    /// No line of it may follow.
    case ended
  }

  /// In the prompt and so in every delta: `tk-CC-NNNNN`, client and number.
  let token: String
  /// The value of `request_id` as it is spelt.
  let id: String
  let options: ChaosOptions
  private(set) var stage = Stage.open
  var isCancelSent = false
  private(set) var isRefused = false
  private(set) var outcome: String?
  /// Of the error that ended it.
  private(set) var code: String?
  private(set) var responseID: String?
  /// Of the daemon's own error.
  private(set) var sent: String?
  private(set) var isResent = false
  /// The lane that its latest event came by.
  private(set) var lane: String?
  private(set) var eventCount = 0
  private var hasResponse = false
  private var noticeCount = 0
  private var nextSequenceNumber = 0
  private var text = ""
  private var terminal: String?
  private var lastLines: [Line] = []

  init(token: String, id: String, options: ChaosOptions) {
    self.token = token
    self.id = id
    self.options = options
  }

  var line: String {
    let input = "[[fault: \(options.fault.order)]] mark=\(token) hello"
    var response = #""model":"m","input":"\#(input)""#
    if let previous = options.previousResponseID {
      response += #","previous_response_id":"\#(previous)""#
    }
    return #"{"type":"response.create","request_id":\#(id),"hotline":{\#(options.members)},"#
      + #""response":{\#(response)}}"#
  }

  /// At least one event of a response has come.
  var isAnswered: Bool { hasResponse || eventCount > 0 }

  func failure(_ what: String) -> TestFailure {
    let lines = lastLines.map { "  \($0.text.prefix(1200))" }.joined(separator: "\n")
    return TestFailure("\(what)\nrequest: \(line)\nits last lines:\n\(lines)")
  }

  /// Judges the next line that is labelled with this request.
  mutating func take(_ line: Line) throws {
    lastLines.append(line)
    if lastLines.count > 6 { lastLines.removeFirst() }
    if stage == .ended { throw failure("a line after the last one") }
    if case .erred = stage, !line.isDone { throw failure("a line between error and last line") }
    if let other = line.tokens.first(where: { $0 != token }) {
      throw failure("a line of another request, \(other)")
    }
    switch line.kind {
    case "hotline.done": try takeDone(line)
    case "hotline.queued":
      noticeCount += 1
      if noticeCount > 1 { throw failure("a second notice of waiting") }
    case "hotline.raw":
      eventCount += 1
      guard options.fault.sendsRaw else { throw failure("a raw message that nobody ordered") }
    case "error" where line.hotline != .missing: try takeOwnError(line)
    case "error":
      eventCount += 1
      let code = line.code ?? ""
      guard mayFail(code: code) else { throw failure("an unexpected error of the server") }
      self.code = code
      stage = .erred(isOfTheDaemon: false)
    default: try takeEvent(line)
    }
  }

  // MARK: Events

  private mutating func takeEvent(_ line: Line) throws {
    if terminal != nil { throw failure("an event after the terminal one") }
    eventCount += 1
    let isTerminal = ["response.completed", "response.failed", "response.incomplete"]
      .contains(line.kind)
    let isText = line.kind == "response.output_text.delta"
    switch options.events {
    case "final" where !isTerminal, "text" where !isTerminal && !isText:
      throw failure("an event that was not asked for")
    default: break
    }
    if line.kind.hasPrefix("response.") { hasResponse = true }
    try checkOrder(line)
    if let name = line.stream_id.string { lane = name }
    if let id = line.response["id"].string {
      if let responseID, responseID != id { throw failure("an event of another response") }
      responseID = id
    }
    if isText {
      guard let delta = line.delta.string, delta.contains(token) else {
        throw failure("a delta without the request's own token")
      }
      text += delta
    }
    if isTerminal { try takeTerminal(line) }
  }

  /// The server numbers the events of a response from 0 on.
  private mutating func checkOrder(_ line: Line) throws {
    guard let number = line.sequence_number.integer else { return }
    let isInOrder =
      options.events == "all" ? number == nextSequenceNumber : number >= nextSequenceNumber
    guard isInOrder else { throw failure("an event is missing or out of order") }
    nextSequenceNumber = number + 1
  }

  private mutating func takeTerminal(_ line: Line) throws {
    terminal = line.kind
    guard line.tokens.contains(token) else { throw failure("a terminal event without the token") }
    let whole = line.response.output[0].content[0].text.string
    if options.events != "final", whole != text {
      throw failure("the deltas do not add up to the text")
    }
    let previous = line.response.previous_response_id.string
    if previous != options.previousResponseID { throw failure("it continued another response") }
  }

  // MARK: Ends

  private mutating func takeOwnError(_ line: Line) throws {
    let code = line.code ?? ""
    self.code = code
    sent = line.hotline.sent.string
    guard line.hotline.accepted.bool == true else {
      let isExpected = options.isInvalid ? code == "invalid_request" : code.isRefusalForLater
      guard isExpected, sent == "no" else { throw failure("an unexpected refusal") }
      guard eventCount == 0, noticeCount == 0 else { throw failure("refused after other lines") }
      isRefused = true
      stage = .ended
      return
    }
    guard mayFailInTheDaemon(code: code) else { throw failure("an unexpected error") }
    if terminal != nil { throw failure("an error after the terminal event") }
    if hasResponse, sent != "yes" { throw failure("answered, but sent is not yes") }
    stage = .erred(isOfTheDaemon: true)
  }

  private mutating func takeDone(_ line: Line) throws {
    let ended = line.outcome.string ?? ""
    isResent = line.resent.bool ?? false
    guard line.events.integer == eventCount else { throw failure("a wrong count of events") }
    if let id = line.response_id.string {
      if let responseID, responseID != id { throw failure("a last line of another response") }
      responseID = id
    }
    try checkOutcome(ended, line)
    outcome = ended
    stage = .ended
  }

  private func checkOutcome(_ ended: String, _ line: Line) throws {
    switch (ended, stage) {
    case ("error", .erred(let isOfTheDaemon)):
      let isAnswered = line.timing_ms.first_event != .null
      if isOfTheDaemon, isAnswered != (sent == "yes") { throw failure("sent belies first_event") }
      if isOfTheDaemon, isResent, sent == "no" { throw failure("sent again, but not sent") }
    case ("cancelled", .open):
      guard isCancelSent else { throw failure("nobody cancelled it") }
    case ("completed", .open), ("failed", .open), ("incomplete", .open):
      guard terminal == "response.\(ended)" else { throw failure("the outcome is another") }
      guard mayEnd(outcome: ended) else { throw failure("it cannot have ended so") }
    default: throw failure("an outcome that does not go with the lines before")
    }
  }
}
