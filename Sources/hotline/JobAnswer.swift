import HotlineWire

/// What has come of one request that is running: one line of results in the end.
struct JobAnswer {
  private var text = AnswerText(dropsControls: false)
  private var textBytes = ByteQueue()
  private var response: [UInt8]?
  private var error: [UInt8]?
  private(set) var failure: FailureReport?
  private var done: [UInt8]?
  private(set) var summary: AnswerSummary?

  /// It has had its last line, or was refused.
  var isOver: Bool { done != nil || isRefused }
  var isRefused: Bool { failure?.isAccepted == false }
  var outcome: String { summary?.outcome ?? "refused" }

  mutating func lineArrived(_ line: DaemonLine) {
    switch line.kind {
    case .textDelta:
      if let delta = line.delta { text.append(delta, in: line.bytes, to: &textBytes) }
    case .terminal: response = line.response.map { Array($0.bytes) }
    case .error: errorArrived(line.bytes)
    case .done:
      text.finish(to: &textBytes)
      done = Array(line.bytes)
      summary = JSONView(line: line.bytes).map { AnswerSummary(doneLine: $0) }
    case .refusal, .queued, .event, .other: break
    }
  }

  private mutating func errorArrived(_ bytes: UnsafeRawBufferPointer) {
    guard failure == nil, let view = JSONView(line: bytes) else { return }
    failure = FailureReport(errorLine: view)
    error = Array((view["error"] ?? view).bytes)
  }

  /// How it counts for the status of the whole; nil if it completed.
  var status: ExitStatus? {
    switch outcome {
    case "completed": nil
    case "incomplete": .incomplete
    default: failure?.exitStatus ?? .failed
    }
  }

  /// - Parameter key: the id as JSON.
  func resultLine(key: String) -> [UInt8] {
    LocalLine.line { line in
      line.member("request_id", spelling: Array(key.utf8))
      line.member("outcome", outcome)
      line.name("text")
      if textBytes.isEmpty {
        line.string(textOfResponse)
      } else {
        textBytes.withUnread { line.string($0) }
      }
      line.member("error", spelling: error ?? errorOfResponse)
      line.member("response", spelling: response)
      line.member("done", spelling: done)
    }
  }

  private func ofResponse<Value>(_ body: (JSONView) -> Value?) -> Value? {
    response?.withUnsafeBytes { JSONView(line: $0).flatMap(body) }
  }

  private var errorOfResponse: [UInt8]? { ofResponse { $0["error"].map { Array($0.bytes) } } }

  /// For who asked for the last event alone.
  private var textOfResponse: String {
    ofResponse { response in
      (response["output"]?.elements ?? []).flatMap { $0["content"]?.elements ?? [] }
        .filter { $0["type"]?.string == "output_text" }.compactMap { $0["text"]?.string }.joined()
    } ?? ""
  }
}
