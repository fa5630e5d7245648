/// What `hotline.done` says, for the one line of `--verbose`.
struct AnswerSummary: Hashable {
  var outcome: String
  var responseID: String?
  var upstream: String?
  var connection: Int?
  var isReused: Bool?
  var milliseconds: Double?
  var queuedMilliseconds: Double?
  var firstTextMilliseconds: Double?
  var inputTokens: Int?
  var outputTokens: Int?
  var costUSD: Double?

  init(doneLine line: JSONView) {
    outcome = line["outcome"]?.string ?? ""
    responseID = line["response_id"]?.string
    upstream = line["upstream"]?.string
    connection = line["connection"]?.integer
    isReused = line["reused"]?.boolean
    let timing = line["timing_ms"]
    milliseconds = timing?["total"]?.number
    queuedMilliseconds = timing?["queued"]?.number
    firstTextMilliseconds = timing?["first_text"]?.number
    let usage = line["usage"]
    inputTokens = usage?["input_tokens"]?.integer
    outputTokens = usage?["output_tokens"]?.integer
    costUSD = line["cost_usd"]?.number
  }

  /// In and out; nil if neither is known.
  var tokens: Int? {
    inputTokens == nil && outputTokens == nil ? nil : (inputTokens ?? 0) + (outputTokens ?? 0)
  }

  /// The next request can name this response as its predecessor.
  var canBeFollowed: Bool { outcome == "completed" || outcome == "incomplete" }

  /// What is not known is left out.
  var sentence: String {
    var parts: [String] = []
    parts.append(outcome + (milliseconds.map { " in \(Quantity.milliseconds($0))" } ?? ""))
    if let queuedMilliseconds {
      parts.append("queued \(Quantity.milliseconds(queuedMilliseconds))")
    }
    if let firstTextMilliseconds {
      parts.append("first text after \(Quantity.milliseconds(firstTextMilliseconds))")
    }
    if let inputTokens { parts.append("\(inputTokens) tokens in") }
    if let outputTokens { parts.append("\(outputTokens) tokens out") }
    if let costUSD { parts.append(Quantity.dollars(costUSD)) }
    if let connection {
      let warmth = isReused.map { $0 ? "warm " : "new " } ?? ""
      parts.append("\(warmth)connection \(connection)\(upstream.map { " to \($0)" } ?? "")")
    }
    return parts.joined(separator: ", ")
  }
}
