import HotlineCore
import TestSupport
import Testing

@testable import HotlineDaemon

/// `hotline.drain`: nothing new is taken, what was accepted is finished.
@Suite(.serialized) struct LoopDrainTests {
  private let drain = #"{"type":"hotline.drain","request_id":"d"}"#
  private let ok = #"{"type":"hotline.ok","request_id":"d"}"#

  /// A rig with an open connection and a client whose request runs on it.
  private func running() throws -> (LoopRig, UnixSocket) {
    let rig = try LoopRig()
    try rig.onLoop { $0.open() }
    let client = try rig.connect()
    try client.write(request("a"))
    #expect(try rig.waits { $0.link?.running != nil })
    return (rig, client)
  }

  private func state(_ rig: LoopRig) throws -> String? {
    try JSON(parsing: try rig.connect().asking(#"{"type":"hotline.status"}"#)).state.string
  }

  @Test func withNothingToFinishItIsAnsweredAtOnce() throws {
    let rig = try LoopRig()
    #expect(try state(rig) == "running")
    #expect(try rig.connect().asking(drain) == ok + "\n")
    #expect(try state(rig) == "draining")
    #expect(
      try rig.connect().asking(#"{"type":"hotline.drain"}"#) == #"{"type":"hotline.ok"}"# + "\n")
  }

  @Test func whatWasAcceptedIsFinishedFirst() throws {
    let (rig, client) = try running()
    let operatorClient = try rig.connect()
    try operatorClient.write(drain + "\n")
    operatorClient.shutDownWriting()
    #expect(try rig.waits { $0.commands.count == 1 })
    #expect(try state(rig) == "draining")
    try client.write(request("b"))
    #expect(try client.readLines(1)[0].contains("shutting_down"))
    try rig.onLoop { daemon in
      daemon.answer(created, delta)
      #expect(daemon.commands.count == 1)
      daemon.answer(completed)
      #expect(daemon.commands.isEmpty)
    }
    #expect(try operatorClient.readToEnd() == ok + "\n", "and its half-close waited for that")
    #expect(try client.readLines(4)[3].contains(#""outcome":"completed""#))
  }

  @Test func aReloadEndsIt() throws {
    let (rig, client) = try running()
    let operatorClient = try rig.connect()
    try operatorClient.write(drain + "\n")
    #expect(try rig.waits { $0.broker.isDraining })
    #expect(try rig.reload(LoopRig.file(rig.url)).contains("hotline.ok"))
    let answer = try JSON(parsing: try operatorClient.readLines(1)[0])
    #expect(answer.error.code.string == "cancelled")
    #expect(answer.request_id.string == "d")
    #expect(answer.hotline.accepted.bool == false)
    #expect(try state(rig) == "running")
    try client.write(request("b"))
    #expect(try rig.waits { $0.requests.count == 2 })
  }

  @Test func theEndComesDuringADrainAsEver() throws {
    let (rig, client) = try running()
    let operatorClient = try rig.connect()
    try operatorClient.write(drain + "\n")
    #expect(try rig.waits { $0.broker.isDraining })
    try rig.onLoop { daemon in
      daemon.onStop = { [unowned daemon] in daemon.sayGoodbye() }
      daemon.step(.terminationRequested)
      #expect(daemon.requests.count == 1)
      daemon.answer(created, completed)
    }
    #expect(try operatorClient.readToEnd() == ok + "\n")
    #expect(try client.readToEnd().contains(#""outcome":"completed""#))
    #expect(try rig.isEmpty())
  }

  @Test func whoLeavesIsForgotten() throws {
    let (rig, client) = try running()
    let operatorClient = try rig.connect()
    try operatorClient.write(drain + "\n")
    #expect(try rig.waits { $0.commands.count == 1 })
    operatorClient.close()
    #expect(try rig.waits { $0.commands.isEmpty })
    try rig.onLoop { $0.answer(created, completed) }
    #expect(try client.readLines(3)[2].contains(#""outcome":"completed""#))
    client.close()
    #expect(try rig.isEmpty())
  }

  @Test func drainsOfOneClientAreLimited() throws {
    let (rig, client) = try running()
    try client.write(String(repeating: drain + "\n", count: 65))
    #expect(try client.readLines(1)[0].contains("too_many_requests"))
    try rig.onLoop { $0.answer(created, completed) }
    #expect(try client.readLines(67).count { $0 == ok } == 64)
  }
}
