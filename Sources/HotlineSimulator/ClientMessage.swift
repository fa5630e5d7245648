import Foundation

/// What the server reads of one message of a client.
struct ClientMessage: Decodable {
  /// Members that belong to the local side of a relay or to HTTP and have no place on a WebSocket.
  static let foreignNames: Set<String> = [
    "request_id", "hotline", "stream", "stream_options", "background",
  ]

  let type: String
  /// The nested envelope's content.
  let response: ResponseParameters?
  /// The flat envelope's content.
  let flat: ResponseParameters
  /// Of steer, inject, interrupt and cancel.
  let responseID: String?
  /// What is said to a running response.
  let input: String
  /// The same as it came, for a server returns what it does not take.
  private(set) var returnedInput: String?
  /// The lane that is to answer; what is no string is none that there could be.
  let streamID: String?
  /// What its members are called.
  let names: [String]
  /// What the members of `response` are called.
  let nestedNames: [String]

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: MemberName.self)
    type = try container.decode(String.self, forKey: "type")
    let nested = try? container.nestedContainer(keyedBy: MemberName.self, forKey: "response")
    names = container.allKeys.map(\.stringValue)
    nestedNames = nested?.allKeys.map(\.stringValue) ?? []
    streamID =
      container.contains("stream_id")
      ? (try? container.decode(String.self, forKey: "stream_id")) ?? "" : nil
    guard type == "response.create" else {
      response = nil
      flat = ResponseParameters()
      input = try container.decodeIfPresent(Input.self, forKey: "input")?.text ?? ""
      responseID =
        try container.decodeIfPresent(String.self, forKey: "response_id")
        ?? container.decodeIfPresent(String.self, forKey: "previous_response_id")
      return
    }
    responseID = nil
    input = ""
    response = try container.decodeIfPresent(ResponseParameters.self, forKey: "response")
    flat = response == nil ? try ResponseParameters(from: decoder) : ResponseParameters()
  }
}

extension ClientMessage {
  /// - Throws: what Foundation's decoder says.
  init(reading text: String) throws {
    let data = Data(text.utf8)
    self = try JSONDecoder().decode(Self.self, from: data)
    guard type != "response.create", names.contains("input"),
      let members = try JSONSerialization.jsonObject(with: data) as? [String: Any],
      let input = members["input"]
    else { return }
    returnedInput = String(
      decoding: try JSONSerialization.data(
        withJSONObject: input, options: [.fragmentsAllowed, .sortedKeys, .withoutEscapingSlashes]),
      as: UTF8.self)
  }

  /// The first member that has no place on any server, in alphabetical order.
  var foreignName: String? {
    (names + nestedNames).filter(Self.foreignNames.contains).min()
  }
}

/// The parameters of a response that change what the simulator answers.
struct ResponseParameters: Decodable {
  var model: String?
  var store: Bool?
  var generates = true
  /// There is a member `generate`.
  var namesGenerate = false
  var previousResponseID: String?
  /// Of the Realtime API: `none` for a response beside the connection's conversation.
  var conversation: String?
  /// Of the Realtime API: how it is to be answered; audio, if it does not say.
  var outputModalities: [String]?
  /// The last user message's text, or the last tool's output.
  var text = ""
  /// `input` is a plain text instead of items.
  var isPlainText = false
  /// The first function among the tools.
  var functionName: String?
  var toolOutputs = ToolOutputs()
  /// The schema that the answer is to follow, by its name.
  var schemaName: String?

  init() {}

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: MemberName.self)
    model = try container.decodeIfPresent(String.self, forKey: "model")
    store = try container.decodeIfPresent(Bool.self, forKey: "store")
    namesGenerate = container.contains("generate")
    generates = try container.decodeIfPresent(Bool.self, forKey: "generate") ?? true
    previousResponseID = try container.decodeIfPresent(
      String.self, forKey: "previous_response_id")
    // An object in the Responses API.
    conversation = try? container.decodeIfPresent(String.self, forKey: "conversation")
    outputModalities = try? container.decodeIfPresent(
      [String].self, forKey: "output_modalities")
    let input = try container.decodeIfPresent(Input.self, forKey: "input")
    text = input?.text ?? ""
    isPlainText = input?.isPlain ?? false
    toolOutputs = try container.decodeIfPresent(ToolOutputs.self, forKey: "input") ?? ToolOutputs()
    let tools = try container.decodeIfPresent([Tool].self, forKey: "tools") ?? []
    functionName = tools.lazy.filter { $0.type == "function" }.compactMap(\.name).first
    let settings = try container.decodeIfPresent(TextSettings.self, forKey: "text")
    if let format = settings?.format, format.type == "json_schema" {
      schemaName = format.name ?? "schema"
    }
  }
}

/// `input`: a string, or items of which the last one that says something counts.
private struct Input: Decodable {
  let text: String
  var isPlain = false

  init(from decoder: any Decoder) throws {
    if let text = try? decoder.singleValueContainer().decode(String.self) {
      self.text = text
      isPlain = true
    } else {
      let items = try decoder.singleValueContainer().decode([Item].self)
      text = items.last { $0.text != nil }?.text ?? ""
    }
  }

  private struct Item: Decodable {
    let text: String?

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: MemberName.self)
      let role = try container.decodeIfPresent(String.self, forKey: "role")
      if let output = try? container.decodeIfPresent(String.self, forKey: "output") {
        text = output
      } else if role == "assistant" {
        text = nil
      } else if let plain = try? container.decodeIfPresent(String.self, forKey: "content") {
        text = plain
      } else {
        let parts = try container.decodeIfPresent([Part].self, forKey: "content")
        text = parts?.compactMap(\.text).joined(separator: " ")
      }
    }
  }

  private struct Part: Decodable {
    let text: String?
  }
}

private struct Tool: Decodable {
  let type: String?
  let name: String?
}

private struct TextSettings: Decodable {
  struct Format: Decodable {
    let type: String?
    let name: String?
  }
  let format: Format?
}

/// A member's name, whatever it is.
private struct MemberName: CodingKey, ExpressibleByStringLiteral {
  let stringValue: String
  var intValue: Int? { nil }

  init(stringLiteral value: String) { stringValue = value }
  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}
