import Dispatch
import HotlineCore
import HotlineSystem
import HotlineTLS
import HotlineTransport
import TestSupport
import Testing

@testable import HotlineDaemon

/// What cannot be had from outside: a name server that does not answer.
@Suite struct DoctorTests {
  @Test func aNameServerThatDoesNotAnswerIsNotWaitedFor() throws {
    var world = World(
      """
      default_upstream = "far"
      [upstream.far]
      url = "wss://far.example/"
      connect_timeout = "100ms"
      """)
    world.keys[.environment("HOTLINE_API_KEY")] = "sk-test"
    let end = DispatchSemaphore(value: 0)
    defer { end.signal() }
    let doctor = Doctor(world.options, world.surroundings) { _, _ in
      end.wait()
      return .success([])
    }
    let steps = doctor.examine().upstreams[0].steps
    let name = try #require(steps.first { $0.name == "name" })
    #expect(name.detail == "far.example: no answer within 0.1 s")
    #expect(name.isBad)
    #expect(name.duration ?? .zero >= .milliseconds(100))
    #expect(steps.last?.outcome == .skipped)
  }

  /// All is not well then: the daemon needs more than one connection.
  @Test func aSecondConnectionThatFailsIsAProblem() throws {
    let configuration = try World(
      """
      default_upstream = "far"
      [upstream.far]
      url = "wss://far.example/"
      """
    ).load()
    var first = DoctorProbe.Findings()
    first.times.connected = first.began
    first.times.secured = first.began
    first.times.upgraded = first.began
    first.handshake = TLSHandshakeCompleted(
      version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", isResumed: false, alpn: nil)
    first.facts = UpgradeFacts()
    first.roundTrip = .milliseconds(1)
    var second = DoctorProbe.Findings()
    second.dialFailure = ConnectionFailure(.tls, "the connection ended in the TLS handshake")
    let steps = DoctorSteps(configuration.upstreams[0], first, second).all
    let resumption = try #require(steps.first { $0.name == "resumption" })
    #expect(resumption.isBad)
    #expect(resumption.detail.contains("ended in the TLS handshake"))
    // The rest was tried on the first.
    #expect(steps.filter(\.isBad).count == 1)
    #expect(steps.allSatisfy { $0.outcome != .skipped })
    second.dialFailure = nil
    second.handshake = first.handshake
    #expect(DoctorSteps(configuration.upstreams[0], first, second).all.allSatisfy { !$0.isBad })
  }
}
