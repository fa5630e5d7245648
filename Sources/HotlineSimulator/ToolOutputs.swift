/// The outputs of functions among a request's input items.
struct ToolOutputs: Decodable {
  private struct Item: Decodable {
    enum CodingKeys: String, CodingKey {
      case type
      case callID = "call_id"
    }
    let type: String?
    let callID: String?
  }

  /// The first output's call that is not among the items before it, `""` if it names none.
  private(set) var unknownCall: String?

  init() {}

  init(from decoder: any Decoder) throws {
    // Input that is a plain text has none.
    let items = (try? decoder.singleValueContainer().decode([Item].self)) ?? []
    var calls: Set<String> = []
    for item in items where unknownCall == nil {
      let call = item.callID ?? ""
      if item.type == "function_call" { calls.insert(call) }
      if item.type == "function_call_output", !calls.contains(call) { unknownCall = call }
    }
  }
}

extension ResponseParameters {
  /// An output answers a call, which is in the input or in the response that is continued.
  var toolError: ErrorEvent? {
    guard previousResponseID == nil, let call = toolOutputs.unknownCall else { return nil }
    return ErrorEvent(
      code: "invalid_value",
      message: "No tool call found for function call output with call_id \(call.prefix(64)).",
      parameter: "input")
  }
}
