import Foundation
import TestSupport
import Testing

/// What a shell user does: `printf '…\n' | socat -t 3600 - UNIX-CONNECT:…`.
@Suite(.serialized, Requires.tools("socat"))
struct SocatTests {
  private func socat(_ rig: Rig, _ arguments: [String] = ["-t", "3600"]) throws -> ChildProcess {
    try ChildProcess(
      Requires.tool("socat"), arguments + ["-", "UNIX-CONNECT:\(rig.daemon.socketPath)"])
  }

  private func lines(_ bytes: [UInt8]) throws -> [Line] {
    let parts = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    #expect(parts.last?.isEmpty == true, "every line ends with LF")
    return try parts.dropLast().map { try Line(Array($0)) }
  }

  @Test func halfCloseKeepsTheAnswer() throws {
    let rig = try Rig()
    let process = try socat(rig)
    try process.write(request("[[fault: delay 1200, gap 50]] Hello!") + "\n")
    process.closeInput()
    #expect(try process.waitForEnd() == .exited(0))
    let lines = try lines(process.standardOutput.data)
    #expect(lines.kinds == RelayTests.order.inserting("hotline.queued", ifIn: lines))
    #expect(answerText(lines) == "Echo: Hello!")
    #expect(!rig.daemon.log.contains("-t 3600"))
  }

  @Test func theLastLineNeedsNoLF() throws {
    let rig = try Rig()
    let process = try socat(rig)
    try process.write(request("one", id: "1") + "\r\n\n" + request("two", id: "2"))
    process.closeInput()
    #expect(try process.waitForEnd() == .exited(0))
    let lines = try lines(process.standardOutput.data)
    #expect(lines.filter(\.isDone).compactMap(\.outcome.string) == ["completed", "completed"])
  }

  @Test func hangUpInTheMiddleCancels() throws {
    let rig = try Rig()
    let process = try socat(rig)
    try process.write(request("[[fault: deltas 1000, gap 100]] x") + "\n")
    try process.standardOutput.waitForLine(containing: "response.output_text.delta")
    process.send(SIGKILL)
    try process.waitForEnd()
    try rig.daemon.waitForStatus("no open requests") { status in
      status.clients.array.allSatisfy { $0.open_requests.integer == 0 }
    }
    let statistics = try rig.simulator.waitForStatistics("the response to be dropped") {
      $0.closesReceived.integer == 1
    }
    #expect(statistics.completed.integer == 0)
    #expect(statistics.responses.integer == 1)
    let next = try rig.client().ask(request("mine"))
    #expect(answerText(next) == "Echo: mine")
  }

  @Test func socatWithoutPatienceCancelsAndTheLogHasTheHint() throws {
    let rig = try Rig()
    for _ in 1...2 {
      let process = try socat(rig, [])
      try process.write(request("[[fault: delay 20000]] x") + "\n")
      process.closeInput()
      #expect(try process.waitForEnd() == .exited(0))
    }
    try rig.simulator.waitForStatistics("both responses to be dropped") {
      $0.closesReceived.integer == 2
    }
    try rig.daemon.process.standardError.waitForLine(containing: "-t 3600")
    #expect(rig.daemon.log.components(separatedBy: "-t 3600").count == 2, "once an hour at most")
  }

  @Test func onHangupFinishFinishes() throws {
    let rig = try Rig()
    let process = try socat(rig)
    let options = #""on_hangup":"finish""#
    try process.write(request("[[fault: deltas 8, gap 100]] x", options: options) + "\n")
    try process.standardOutput.waitForLine(containing: "response.output_text.delta")
    process.send(SIGKILL)
    try process.waitForEnd()
    let statistics = try rig.simulator.waitForStatistics("the response to complete") {
      $0.completed.integer == 1
    }
    #expect(statistics.closesReceived.integer == 0)
  }

  @Test func twoRequestsInterleaveOnOneConnection() throws {
    let rig = try Rig(upstream: "connections_warm = 2")
    try rig.daemon.waitUntilWarm(2)
    let process = try socat(rig)
    let plan = "[[fault: deltas 10, gap 60]]"
    try process.write(
      request("\(plan) mark=one", id: "1") + "\n" + request("\(plan) mark=two", id: "2") + "\n")
    process.closeInput()
    #expect(try process.waitForEnd() == .exited(0))
    let lines = try lines(process.standardOutput.data)
    for (id, mark) in [("1", "[one]"), ("2", "[two]")] {
      let own = lines.of(id)
      #expect(own.filter(\.isDone).count == 1)
      #expect(own.last?.outcome.string == "completed")
      let deltas = own.compactMap(\.delta.string)
      #expect(deltas.count == 10)
      #expect(deltas.allSatisfy { $0.contains(mark) || $0.contains("mark=") })
    }
    let order = lines.filter { $0.delta != .missing }.compactMap(\.request_id.string)
    let changes = zip(order, order.dropFirst()).count { $0 != $1 }
    #expect(changes > 4, "their deltas take turns: \(order)")
  }

  @Test func twentyMebibytesGoUpAndComeDownByteForByte() throws {
    let size = 20 << 20
    let sections = "[socket]\nline_bytes_max = \"32MiB\"\nbuffer_bytes_max = \"64MiB\""
    let rig = try Rig(
      ["--message-bytes-max", "\(32 << 20)"], upstream: "message_bytes_max = \"32MiB\"",
      sections: sections)
    let process = try socat(rig)
    let filling = String(repeating: "0123456789abcdef", count: size / 16)
    let line = request(
      "[[fault: giant \(size) after 4]]", id: "big", more: #","metadata":{"f":"\#(filling)"}"#)
    try process.write(line + "\n")
    process.closeInput()
    #expect(try process.waitForEnd(within: .seconds(90)) == .exited(0))
    let parts = process.standardOutput.data.split(separator: 0x0A)
    let giant = try #require(parts.max { $0.count < $1.count })
    let text = String(decoding: giant, as: UTF8.self)
    let id = #""request_id":"big","#
    #expect(giant.count == size + id.utf8.count)
    #expect(text.hasPrefix("{" + id + #""type":"response.image_generation_call.partial_image""#))
    #expect(text.hasSuffix(#""}"#))
    let payload = text.dropLast(2).drop { _ in false }.components(separatedBy: #"_b64":""#).last
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    let expected = String(
      String(repeating: alphabet, count: size / 64 + 1).prefix(payload?.utf8.count ?? 0))
    #expect(payload == expected)
    #expect(try Line(Array(parts.last ?? [])).outcome.string == "completed")
    #expect(try rig.simulator.statistics().violations.integer == 0)
  }

  @Test func anEventOverSeveralLinesArrivesAsOne() throws {
    let rig = try Rig()
    let process = try socat(rig)
    try process.write(request("[[fault: pretty]] Hello!") + "\n")
    process.closeInput()
    #expect(try process.waitForEnd() == .exited(0))
    let lines = try lines(process.standardOutput.data)
    #expect(lines.kinds == RelayTests.order)
    #expect(answerText(lines) == "Echo: Hello!")
  }
}

extension [String] {
  /// With the notice that a slow start may have brought.
  fileprivate func inserting(_ kind: String, ifIn lines: [Line]) -> [String] {
    lines.kinds.contains(kind) ? [kind] + self : self
  }
}
