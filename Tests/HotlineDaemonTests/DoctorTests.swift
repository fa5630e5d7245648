import Dispatch
import HotlineSystem
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
}
