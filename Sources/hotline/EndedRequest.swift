import Glibc

/// A request that has ended, as a line for people: when, whose, how, how long, what it used.
struct EndedRequest {
  private let request: JSONView

  init(_ request: JSONView) {
    self.request = request
  }

  /// What is not known is left out.
  var sentence: String {
    let outcome = words(request["outcome"])
    let code = request["code"]?.string.map { " (\(PrintableText.line($0)))" } ?? ""
    var parts = ["\(clock)  \(outcome)\(code)"]
    let timing = request["timing_ms"]
    if let total = timing?["total"]?.number { parts[0] += " in \(Quantity.milliseconds(total))" }
    if let first = timing?["first_text"]?.number {
      parts.append("first text after \(Quantity.milliseconds(first))")
    }
    if let tokens = request["input_tokens"]?.integer {
      parts.append("\(tokens) + \(integer(request["output_tokens"])) tokens")
    }
    if let cost = request["cost_usd"]?.number { parts.append(Quantity.dollars(cost)) }
    parts.append(words(request["model"]))
    parts.append("\(words(request["tag"])) (pid \(integer(request["pid"])))")
    return parts.joined(separator: ", ")
  }

  /// The hours, minutes and seconds of `2026-11-23T02:50:00.123Z`.
  private var clock: String {
    let time = words(request["time"])
    return time.split(separator: "T").last.map { String($0.prefix(8)) } ?? time
  }
}
