import Foundation
import HotlineSimulator
import Testing

@Suite struct ResponseTests {
  @Test func eventsComeInTheDocumentedOrder() async throws {
    try await withSimulator(["deltas": "2"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("What is WebSocket?")
      let messages = socket.answer().messages
      #expect(
        messages.map(type(of:)) == [
          "response.created", "response.in_progress", "response.output_item.added",
          "response.content_part.added", "response.output_text.delta",
          "response.output_text.delta", "response.output_text.done", "response.content_part.done",
          "response.output_item.done", "response.completed",
        ])
      #expect(messages.map { object($0)["sequence_number"] as? Int } == Array(0..<10))
    }
  }

  @Test func deltasAddUpToTheFinalTextAndUsageCountsThem() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("one two \"three\"")
      let messages = socket.answer().messages
      let text = messages.compactMap { object($0)["delta"] as? String }.joined()
      #expect(text == #"Echo: one two "three""#)
      let response = object(messages.last ?? "")["response"] as? [String: Any]
      let item = (response?["output"] as? [[String: Any]])?.first
      let part = (item?["content"] as? [[String: Any]])?.first
      #expect(part?["text"] as? String == text)
      let usage = response?["usage"] as? [String: Any]
      #expect(usage?["output_tokens"] as? Int == 4)
      #expect((usage?["total_tokens"] as? Int ?? 0) == (usage?["input_tokens"] as? Int ?? 0) + 4)
    }
  }

  @Test func everyDeltaCarriesTheMark() async throws {
    try await withSimulator(["deltas": "7"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("mark=K-42 and some words [[fault: size 3]]")
      let deltas = socket.answer().messages.compactMap { object($0)["delta"] as? String }
      #expect(deltas.count == 7)
      #expect(deltas.allSatisfy { $0.contains("K-42") })
    }
  }

  @Test func sizeIsTheBytesOfADelta() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("a b c [[fault: size 40, deltas 5]]")
      let deltas = socket.answer().messages.compactMap { object($0)["delta"] as? String }
      #expect(deltas.map(\.utf8.count) == [40, 40, 40, 40, 40])
    }
  }

  @Test func noDeltasMakeAnEmptyText() async throws {
    try await withSimulator(["deltas": "0"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("Hi")
      let messages = socket.answer().messages
      #expect(messages.count == 8)
      #expect(messages.allSatisfy { object($0)["delta"] == nil })
    }
  }

  @Test func aToolIsCalledWhenTheTextAsksForIt() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request(
        "call the tool", #","tools":[{"type":"function","name":"weather","parameters":{}}]"#)
      let messages = socket.answer().messages
      let types = messages.map(type(of:))
      #expect(types.contains("response.function_call_arguments.delta"))
      #expect(types.suffix(3).first == "response.function_call_arguments.done")
      let response = object(messages.last ?? "")["response"] as? [String: Any]
      let item = (response?["output"] as? [[String: Any]])?.first
      #expect(item?["type"] as? String == "function_call")
      #expect(item?["name"] as? String == "weather")
      #expect(object(item?["arguments"] as? String ?? "")["answer"] != nil)
    }
  }

  @Test func structuredOutputIsAJSONDocument() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request(#"say "x""#, #","text":{"format":{"type":"json_schema","name":"a"}}"#)
      let messages = socket.answer().messages
      let text = messages.compactMap { object($0)["delta"] as? String }.joined()
      #expect(object(text)["answer"] as? String == #"Echo: say "x""#)
    }
  }

  @Test func aWarmUpHasAnIdAndNoOutput() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("Hi", #","generate":false"#)
      let messages = socket.answer().messages
      #expect(messages.map(type(of:)).last == "response.completed")
      #expect(messages.count == 3)
    }
  }

  @Test func aServerThatKnowsNoWarmUpsSaysWhichMember() async throws {
    try await withSimulator(["no-generate": "true"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("Hi", #","generate":false"#)
      let refusal = socket.text()
      #expect(code(of: refusal) == "unknown_parameter")
      #expect(refusal.contains(#""param":"generate""#))
      #expect(refusal.contains("Unknown parameter: 'generate'."))
    }
  }

  @Test func onlyTheLatestResponseOfTheConnectionCanBeContinued() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      func ask(_ members: String = "") -> String? {
        socket.request("Hi", members)
        return socket.answer().messages.last
      }
      func id(_ message: String?) -> String {
        (object(message ?? "")["response"] as? [String: Any])?["id"] as? String ?? ""
      }
      let first = id(ask())
      let second = id(ask(#","previous_response_id":"\#(first)""#))
      #expect(second != "")
      #expect(second != first)
      let stale = ask(#","previous_response_id":"\#(first)""#)
      #expect(code(of: stale) == "previous_response_not_found")
      #expect(object(stale ?? "")["status"] as? Int == 400)
      let other = try PlainWebSocket(port: simulator.port)
      other.request("Hi", #","previous_response_id":"\#(second)""#)
      #expect(code(of: other.answer().messages.last) == "previous_response_not_found")
    }
  }

  @Test func whatWasStoredCanBeContinuedAnywhere() async throws {
    try await withSimulator(["envelope": "flat"]) { simulator in
      func ask(_ members: String = "") throws -> String {
        let socket = try PlainWebSocket(port: simulator.port)
        socket.send(#"{"type":"response.create","input":"Hi"\#(members)}"#)
        return socket.answer().messages.last ?? ""
      }
      func response(_ message: String) -> [String: Any] {
        object(message)["response"] as? [String: Any] ?? [:]
      }
      let stored = response(try ask())
      #expect(stored["store"] as? Bool == true)
      let id = try #require(stored["id"] as? String)
      #expect(type(of: try ask(#","previous_response_id":"\#(id)""#)) == "response.completed")
      let unstored = response(try ask(#","store":false"#))
      #expect(unstored["store"] as? Bool == false)
      let gone = try #require(unstored["id"] as? String)
      let answer = try ask(#","previous_response_id":"\#(gone)""#)
      #expect(code(of: answer) == "previous_response_not_found")
    }
  }

  @Test(arguments: [
    ("", "completed"), ("[[fault: failed]]", "failed"), ("[[fault: incomplete]]", "incomplete"),
    ("[[fault: cancelled]]", "cancelled"),
  ])
  func theRealtimeAPIHasOneTerminalEvent(fault: String, status: String) async throws {
    try await withSimulator(["realtime": "true"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      #expect(type(of: socket.text()) == "session.created")
      socket.send(#"{"type":"response.create","response":{"input":"Hi \#(fault)"}}"#)
      let messages = socket.answer().messages
      #expect(
        messages.map(type(of:)) == [
          "response.created", "response.output_item.added", "response.content_part.added",
          "response.output_text.delta", "response.output_text.delta",
          "response.output_text.done", "response.content_part.done", "response.output_item.done",
          "response.done",
        ])
      #expect(Set(messages.compactMap { object($0)["event_id"] as? String }).count == 9)
      let last = object(messages.last ?? "")["response"] as? [String: Any]
      #expect(last?["status"] as? String == status)
      socket.send(#"{"type":"response.create","response":{"input":"Hi","store":false}}"#)
      let refused = socket.answer().messages.last
      #expect(code(of: refused) == "unknown_parameter")
      #expect(object(refused ?? "")["event_id"] is String)
    }
  }

  @Test(arguments: [
    (["realtime": "true"], "rate_limits.updated"), ([:], "codex.rate_limits"),
  ])
  func rateLimitsAreToldWhenAResponseBegins(
    settings: [String: String], expected: String
  ) async throws {
    try await withSimulator(settings.merging(["rate-limits": "true"]) { $1 }) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      if !settings.isEmpty { _ = socket.text() }
      for _ in 0..<2 {
        let store = settings.isEmpty ? #","store":false"# : ""
        socket.send(#"{"type":"response.create","response":{"input":"Hi"\#(store)}}"#)
        let types = socket.answer().messages.map(type(of:))
        #expect(types.prefix(2) == ["response.created", expected])
        #expect(types.count { $0 == expected } == 1)
      }
    }
  }

  @Test func inputMayBeAStringAndTheLastUserMessageCounts() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      func text(_ input: String) -> String {
        socket.send(
          #"{"type":"response.create","response":{"store":false,"input":\#(input)}}"#)
        return socket.answer().messages.compactMap { object($0)["delta"] as? String }.joined()
      }
      #expect(text(#""plain""#) == "Echo: plain")
      #expect(
        text(#"[{"role":"user","content":"a"},{"role":"user","content":"b"}]"#) == "Echo: b")
      #expect(
        text(
          #"[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]"#) == "Echo: a")
      let call = #"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#
      let output = #"{"type":"function_call_output","call_id":"c","output":"22 C"}"#
      #expect(text("[\(call),\(output)]") == "Echo: 22 C")
    }
  }

  @Test func theOutputOfAFunctionNeedsItsCall() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      func last(_ input: String, _ more: String = "") -> String? {
        socket.send(
          #"{"type":"response.create","response":{"store":false,"input":[\#(input)]\#(more)}}"#)
        return socket.answer().messages.last
      }
      let call = #"{"type":"function_call","call_id":"other","name":"f","arguments":"{}"}"#
      let output = #"{"type":"function_call_output","call_id":"c","output":"22 C"}"#
      #expect(code(of: last("\(call),\(output)")) == "invalid_value")
      #expect(code(of: last(#"{"type":"function_call_output","output":"x"}"#)) == "invalid_value")
      // The call may be in the response that is continued.
      let first = object(last(#"{"role":"user","content":"x"}"#) ?? "")["response"]
      let id = try #require((first as? [String: Any])?["id"] as? String)
      #expect(
        object(last(output, #","previous_response_id":"\#(id)""#) ?? "")["type"] as? String
          == "response.completed")
    }
  }
}
