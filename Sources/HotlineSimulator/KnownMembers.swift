/// The members that messages have, as OpenAI's Python SDK lists them; a test asks it.
enum KnownMembers {
  /// `ResponseCreate` of `ResponsesClientEvent`, but for what it says to be HTTP's (`stream`,
  /// `stream_options`, `background`) and what names a lane.
  static let responses: Set<String> = [
    "access_programs", "background_options", "context_management", "conversation", "generate",
    "image", "include", "input", "instructions", "max_output_tokens", "max_tool_calls", "metadata",
    "model", "moderation", "parallel_tool_calls", "previous_response_id", "prompt",
    "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning",
    "safety_identifier", "service_tier", "store", "temperature", "text", "tool_choice", "tools",
    "top_logprobs", "top_p", "truncation", "user",
  ]

  /// `RealtimeResponseCreateParams`: the model and how it is to answer are the session's, and no
  /// response continues another by its id.
  static let realtime: Set<String> = [
    "audio", "conversation", "input", "instructions", "max_output_tokens", "metadata",
    "output_modalities", "parallel_tool_calls", "prompt", "reasoning", "tool_choice", "tools",
  ]

  /// Of a message about a response, by its type; nil if there is no such message.
  ///
  /// That of `response.inject` is in the SDK's beta; nothing documents `response.interrupt`.
  static func of(messageAbout type: String) -> Set<String>? {
    switch type {
    case "response.cancel": ["type", "event_id", "response_id"]
    case "response.steer": ["type", "previous_response_id", "input"]
    case "response.inject": ["type", "response_id", "input"]
    case "response.interrupt": ["type", "response_id"]
    default: nil
    }
  }
}

extension ClientMessage {
  /// What a server that takes nothing but its schema says of the message's members, nil if nothing.
  func strictError(_ behaviour: SimulatorBehaviour) -> ErrorEvent? {
    if let name = unknownName(behaviour) {
      return ErrorEvent(
        code: "unknown_parameter", message: "Unknown parameter: '\(name.prefix(64))'.",
        parameter: name)
    }
    guard behaviour.isRealtime, response?.isPlainText == true else { return nil }
    return ErrorEvent(
      code: "invalid_type",
      message: "Invalid type for 'response.input': expected an array of objects, but got a string.",
      parameter: "response.input")
  }

  /// The first member that the dialect does not have, in alphabetical order, those within
  /// `response` last and by their path.
  private func unknownName(_ behaviour: SimulatorBehaviour) -> String? {
    guard type == "response.create" else {
      let known = KnownMembers.of(messageAbout: type)
      return known.flatMap { known in names.filter { !known.contains($0) }.min() }
    }
    // Which lanes there are is judged by the name that is given.
    var beside: Set<String> = behaviour.hasLanes ? ["type", "stream_id"] : ["type"]
    let isNested =
      behaviour.envelope == .nested || behaviour.envelope == .both && response != nil
    let body = behaviour.isRealtime ? KnownMembers.realtime : KnownMembers.responses
    if behaviour.isRealtime { beside.insert("event_id") }
    beside.formUnion(isNested ? ["response"] : body)
    return names.filter { !beside.contains($0) }.min()
      ?? nestedNames.filter { !body.contains($0) }.min().map { "response.\($0)" }
  }
}
