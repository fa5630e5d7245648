/// The events of one response, made one by one in the order in which the server sends them.
///
/// They are those of the Responses API, or of the Realtime API.
struct ResponseScript {
  /// What the response consists of.
  enum Output: Equatable {
    case message
    case functionCall(name: String)
    /// A warm-up (`generate:false`): an id and no output.
    case nothing
  }

  /// Which event comes next.
  private enum Position {
    case created
    case rateLimits
    case inProgress
    case itemAdded
    case partAdded
    case delta(Int)
    case textDone
    case partDone
    case itemDone
    case terminal
    case late
    case over
  }

  let object: ResponseObject
  let output: Output
  let ending: ResponseEnding
  private let answer: AnswerText
  private let itemID: String
  private let isLateAfterTerminal: Bool
  private let isRealtime: Bool
  private let tellsRateLimits: Bool
  private var position = Position.created
  private var sequenceNumber = 0
  private var text = ""

  init(
    _ object: ResponseObject, number: String, output: Output, answer: AnswerText, plan: FaultPlan,
    isRealtime: Bool = false, tellsRateLimits: Bool = false
  ) {
    self.object = object
    self.output = output
    self.answer = answer
    itemID = output == .message ? "msg_\(number)" : "fc_\(number)"
    ending = plan.ending
    isLateAfterTerminal = plan.isLateAfterTerminal
    self.isRealtime = isRealtime
    self.tellsRateLimits = tellsRateLimits
  }

  /// The number of the delta that comes next, nil if something else does.
  var nextDelta: Int? {
    if case .delta(let index) = position { index } else { nil }
  }

  /// Deltas that have been made.
  private(set) var deltasMade = 0

  /// The next event, nil when there is none.
  mutating func next() -> String? {
    switch position {
    case .created:
      position = tellsRateLimits ? .rateLimits : afterCreation
      return event("response.created", #""response":\#(response("in_progress"))"#)
    case .rateLimits:
      position = afterCreation
      return rateLimits()
    case .inProgress:
      position = afterBeginning
      return event("response.in_progress", #""response":\#(object.json(status: "in_progress"))"#)
    case .itemAdded:
      position = output == .message ? .partAdded : firstDelta
      return event(
        "response.output_item.added", #""output_index":0,"item":\#(item(status: "in_progress"))"#)
    case .partAdded:
      position = firstDelta
      return event("response.content_part.added", #"\#(place),"part":\#(announcedPart)"#)
    case .delta(let index):
      return delta(index)
    case .textDone:
      position = output == .message ? .partDone : .itemDone
      return textDone()
    case .partDone:
      position = .itemDone
      return event("response.content_part.done", #"\#(place),"part":\#(announcedPart)"#)
    case .itemDone:
      position = ending == .none ? .over : .terminal
      return event(
        "response.output_item.done", #""output_index":0,"item":\#(item(status: "completed"))"#)
    case .terminal:
      position = isLateAfterTerminal ? .late : .over
      return terminal(
        ending, reason: ending == .cancelled ? "turn_detected" : "max_output_tokens")
    case .late:
      position = .over
      return event("response.output_text.delta", #"\#(place),"delta":"late""#)
    case .over:
      return nil
    }
  }

  /// The event that ends the response before its time, `incomplete` for this reason if any.
  mutating func interrupt(reason: String?) -> String {
    position = .over
    return terminal(.incomplete, reason: reason)
  }

  /// The answer to a message about the response; its members but for the sequence number.
  mutating func answer(_ type: String, _ members: String) -> String { event(type, members) }

  /// What the client has to bring before a response can continue this one.
  var requiredInput: String {
    guard case .functionCall(let name) = output else { return "" }
    return #"{"type":"function_call_output","call_id":"\#(callID)","#
      + #""name":\#(JSONText.quoted(name))}"#
  }

  /// Realtime's terminal event of a response that its client cancelled.
  mutating func cancel() -> String {
    position = .over
    let details = #"{"type":"cancelled","reason":"client_cancelled"}"#
    let response = realtimeObject("cancelled", details: details, usage: usage)
    return event("response.done", #""response":\#(response)"#)
  }

  private var afterCreation: Position { isRealtime ? afterBeginning : .inProgress }

  private var afterBeginning: Position { output == .nothing ? .terminal : .itemAdded }

  private func response(_ status: String) -> String {
    isRealtime ? realtimeObject(status) : object.json(status: status)
  }

  private func realtimeObject(
    _ status: String, details: String = "null", output: String = "", usage: String = "null"
  ) -> String {
    let modalities = object.outputModalities.map { JSONText.quoted($0) }.joined(separator: ",")
    return #"{"id":"\#(object.id)","object":"realtime.response","status":"\#(status)","#
      + #""output_modalities":[\#(modalities)],"status_details":\#(details),"#
      + #""output":[\#(output)],"usage":\#(usage)}"#
  }

  /// Whatever its ending, a response of the Realtime API ends with the same event.
  private mutating func realtimeTerminal(_ status: String, _ reason: String?) -> String {
    let code = #","error":{"type":"server_error","code":"server_error"}"#
    let reason = reason.map { #","reason":"\#($0)""# } ?? ""
    let why = status == "failed" ? code : status == "completed" ? "" : reason
    let response = realtimeObject(
      status, details: #"{"type":"\#(status)"\#(why)}"#, output: outputJSON(status), usage: usage)
    return event("response.done", #""response":\#(response)"#)
  }

  private func outputJSON(_ status: String) -> String {
    output == .nothing ? "" : item(status: status == "completed" ? status : "incomplete")
  }

  private var firstDelta: Position { answer.count > 0 ? .delta(0) : .textDone }

  private var callID: String { "call_\(itemID.dropFirst(3))" }

  private var callPlace: String {
    let call = isRealtime ? #","call_id":"\#(callID)""# : ""
    return #""item_id":"\#(itemID)","output_index":0\#(call)"#
  }

  private var place: String { #""item_id":"\#(itemID)","output_index":0,"content_index":0"# }

  /// What the events about a part call it is not what it is called in an item, in the Realtime API.
  private var announcedPart: String {
    isRealtime ? #"{"type":"text","text":\#(JSONText.quoted(text))}"# : part
  }

  private var part: String {
    let annotations = isRealtime ? "" : #","annotations":[]"#
    return #"{"type":"output_text","text":\#(JSONText.quoted(text))\#(annotations)}"#
  }

  private var logprobs: String { isRealtime ? "" : #","logprobs":[]"# }

  private mutating func event(_ type: String, _ members: String) -> String {
    defer { sequenceNumber += 1 }
    if isRealtime {
      let own = #""event_id":"event_\#(object.id.dropFirst(5))_\#(sequenceNumber)""#
      let isWhole = ["response.created", "response.done"].contains(type)
      let id = isWhole ? "" : #","response_id":"\#(object.id)""#
      return #"{"type":"\#(type)",\#(own)\#(id),\#(members)}"#
    }
    return #"{"type":"\#(type)",\#(members),"sequence_number":\#(sequenceNumber)}"#
  }

  /// They are the connection's, as the Realtime API says them, or as Codex's servers do.
  private func rateLimits() -> String {
    guard isRealtime else {
      return #"{"type":"codex.rate_limits","rate_limits":{"allowed":true,"limit_reached":false,"#
        + #""primary":{"used_percent":12.5,"window_minutes":300,"reset_after_seconds":60}}}"#
    }
    return #"{"type":"rate_limits.updated","event_id":"event_\#(object.id.dropFirst(5))_limits","#
      + #""rate_limits":[{"name":"requests","limit":1000,"remaining":999,"reset_seconds":60},"#
      + #"{"name":"tokens","limit":50000,"remaining":49950,"reset_seconds":60.5}]}"#
  }

  private mutating func delta(_ index: Int) -> String {
    let piece = answer.piece(index)
    text += piece
    deltasMade += 1
    position = index + 1 < answer.count ? .delta(index + 1) : .textDone
    guard output == .message else {
      return event(
        "response.function_call_arguments.delta",
        #"\#(callPlace),"delta":\#(JSONText.quoted(piece))"#)
    }
    return event(
      "response.output_text.delta", #"\#(place),"delta":\#(JSONText.quoted(piece))\#(logprobs)"#)
  }

  private mutating func textDone() -> String {
    guard case .functionCall(let name) = output else {
      return event(
        "response.output_text.done", #"\#(place),"text":\#(JSONText.quoted(text))\#(logprobs)"#)
    }
    let called = isRealtime ? #","name":\#(JSONText.quoted(name))"# : ""
    return event(
      "response.function_call_arguments.done",
      #"\#(callPlace)\#(called),"arguments":\#(JSONText.quoted(text))"#)
  }

  private func item(status: String) -> String {
    guard case .functionCall(let name) = output else {
      let content = status == "in_progress" ? "" : part
      let rest = #""role":"assistant","content":[\#(content)]"#
      return #"{"id":"\#(itemID)","type":"message","status":"\#(status)",\#(rest)}"#
    }
    let call = #""call_id":"\#(callID)","name":\#(JSONText.quoted(name))"#
    let arguments = #""arguments":\#(JSONText.quoted(text))"#
    return
      #"{"id":"\#(itemID)","type":"function_call","status":"\#(status)",\#(call),\#(arguments)}"#
  }

  private var usage: String {
    let input = object.inputTokens
    let cached = object.previousResponseID == nil ? 0 : input
    let details = #""cached_tokens":\#(cached)"#
    if isRealtime {
      return #"{"input_tokens":\#(input),"input_token_details":{\#(details)},"#
        + #""output_tokens":\#(deltasMade),"total_tokens":\#(input + deltasMade)}"#
    }
    return #"{"input_tokens":\#(input),"#
      + #""input_tokens_details":{\#(details),"cache_write_tokens":0},"#
      + #""output_tokens":\#(deltasMade),"output_tokens_details":{"reasoning_tokens":0},"#
      + #""total_tokens":\#(input + deltasMade)}"#
  }

  private mutating func terminal(_ ending: ResponseEnding, reason: String?) -> String {
    let status = ending == .none ? "completed" : ending.rawValue
    if isRealtime { return realtimeTerminal(status, reason) }
    let outcome = ResponseObject.Outcome(
      output: outputJSON(status),
      usage: usage,
      error: ending == .failed
        ? #"{"code":"server_error","message":"The simulated model failed as ordered."}"# : "null",
      incompleteDetails: ending == .incomplete
        ? reason.map { #"{"reason":"\#($0)"}"# } ?? "null" : "null")
    return event(
      "response.\(status)", #""response":\#(object.json(status: status, outcome: outcome))"#)
  }
}
