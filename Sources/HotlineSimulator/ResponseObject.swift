/// The response object that the first and last events of a response carry.
struct ResponseObject {
  /// What only the terminal event knows.
  struct Outcome {
    /// The items of `output`, without brackets.
    var output = ""
    var usage = "null"
    var error = "null"
    var incompleteDetails = "null"
  }

  let id: String
  /// Seconds since 1970.
  let createdAt: Int
  let model: String
  let previousResponseID: String?
  let inputTokens: Int
  /// Of structured output.
  let schemaName: String?
  let isStored: Bool
  /// Of the Realtime API.
  var outputModalities = ["audio"]

  /// What the schema says is not repeated.
  private var format: String {
    guard let schemaName else { return #"{"type":"text"}"# }
    return #"{"type":"json_schema","name":\#(JSONText.quoted(schemaName)),"schema":{}}"#
  }

  func json(status: String, outcome: Outcome = Outcome()) -> String {
    let completedAt = status == "completed" ? String(createdAt) : "null"
    return #"{"id":"\#(id)","object":"response","created_at":\#(createdAt),"#
      + #""status":"\#(status)","completed_at":\#(completedAt),"error":\#(outcome.error),"#
      + #""incomplete_details":\#(outcome.incompleteDetails),"instructions":null,"#
      + #""max_output_tokens":null,"model":\#(JSONText.quoted(model)),"#
      + #""output":[\#(outcome.output)],"parallel_tool_calls":true,"#
      + #""previous_response_id":\#(JSONText.quotedOrNull(previousResponseID)),"#
      + #""reasoning":{"effort":null,"summary":null},"store":\#(isStored),"temperature":1,"#
      + #""text":{"format":\#(format)},"tool_choice":"auto","tools":[],"top_p":1,"#
      + #""truncation":"disabled","usage":\#(outcome.usage),"user":null,"metadata":{}}"#
  }
}
