import HotlineCore
import HotlineSimulator
import TestSupport
import Testing

@testable import HotlineDaemon

/// The driver between real clients and a server that speaks the upstream's protocol.
@Suite(.serialized) struct LoopSimulatorTests {
  @Test func everyRequestOfManyClientsEndsOnceAndNothingIsLeft() async throws {
    var configuration = SimulatorConfiguration()
    configuration.isPlain = true
    configuration.behaviour.deltas = 5
    let simulator = try Simulator(configuration)
    try await simulator.start()
    let rig = try LoopRig(url: "ws://127.0.0.1:\(simulator.port)/v1/realtime") { configuration in
      configuration.upstreams[0].limits.connectionsMax = 2
    }
    try exchange(rig, clients: 8, requests: 10)
    try await simulator.stop()
  }

  /// What has come of an event is held as well, and its server goes on sending.
  @Test(arguments: [(1 << 20, false), (8 << 20, true)])
  func partOfAnEventCountsAsWhatIsHeld(limit: Int, isEnough: Bool) async throws {
    var configuration = SimulatorConfiguration()
    configuration.isPlain = true
    let simulator = try Simulator(configuration)
    try await simulator.start()
    let rig = try LoopRig(url: "ws://127.0.0.1:\(simulator.port)/v1/realtime") { configuration in
      configuration.limits.memoryBytesMax = limit
      configuration.limits.bufferBytesMax = 16 << 20
    }
    let text = try ask(rig, "[[fault: giant 4000000 after 2]]")
    #expect(text.utf8.count > 4_000_000 || !isEnough)
    #expect(text.contains(#""outcome":"\#(isEnough ? "completed" : "error")""#))
    #expect(text.contains("connection_lost") != isEnough)
    #expect(text.contains("socket.memory_max") != isEnough)
    // The next one is served.
    #expect(try ask(rig, "hello").contains(#""outcome":"completed""#))
    #expect(try rig.isEmpty())
    try await simulator.stop()
  }

  private func ask(_ rig: LoopRig, _ text: String) throws -> String {
    let client = try rig.connect()
    try client.write(#"{"type":"response.create","model":"m","input":"\#(text)"}"# + "\n")
    client.shutDownWriting()
    return try client.readToEnd()
  }

  private func exchange(_ rig: LoopRig, clients count: Int, requests: Int) throws {
    let clients = try (0..<count).map { _ in try rig.connect() }
    for (number, client) in clients.enumerated() {
      for request in 0..<requests {
        try client.write(
          #"{"type":"response.create","request_id":\#(request),"model":"m","#
            + #""input":"mark-\#(number)-\#(request)"}"# + "\n")
      }
      client.shutDownWriting()
    }
    for (number, client) in clients.enumerated() {
      let lines = try client.readToEnd().split(separator: "\n")
      let ends = lines.filter { $0.contains(#""type":"hotline.done""#) }
      #expect(ends.count == requests)
      #expect(ends.allSatisfy { $0.contains(#""outcome":"completed""#) })
      #expect(lines.allSatisfy { !$0.contains("mark-") || $0.contains("mark-\(number)-") })
    }
    #expect(try rig.isEmpty())
  }
}
