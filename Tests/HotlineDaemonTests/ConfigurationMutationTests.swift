import Testing

@testable import HotlineDaemon

@Suite struct ConfigurationMutationTests {
  private static let document = """
    default_upstream = "b" # comment
    [socket]
    path = '/run/x'
    line_bytes_max = "1MiB"
    [queue]
    wait_timeout = "5s"
    [defaults]
    instructions = \"\"\"
    Be [brief].
    'So' \\"quoted\\" \\
      on\"\"\"
    [upstream.b]
    url = "wss://h/v1"
    headers = { X-Team = "blue", "q.r" = 'x' }
    lanes = 0x1
    [upstream."c".headers]
    A.b = [1, 2.5, 1979, true]

    """

  /// Linear congruential (Knuth, MMIX): the same documents on every run.
  private struct Randomness {
    var state: UInt64

    mutating func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
  }

  @Test(arguments: 0..<8)
  func mutatedDocumentsAreTakenOrRefused(_ seed: Int) {
    var randomness = Randomness(state: UInt64(seed))
    let original = Array(Self.document.utf8)
    let pieces = "[]{}\"'=.,#\\\n\r\t a1-_+:\u{0}\u{7F}\u{E9}".utf8.map { $0 }
    for _ in 0..<1500 {
      var bytes = original
      for _ in 0...randomness.next(4) where !bytes.isEmpty {
        let index = randomness.next(bytes.count)
        switch randomness.next(4) {
        case 0: bytes[index] = pieces[randomness.next(pieces.count)]
        case 1: bytes.insert(pieces[randomness.next(pieces.count)], at: index)
        case 2: bytes.remove(at: index)
        default: bytes.removeSubrange(index..<min(bytes.count, index + randomness.next(40)))
        }
      }
      // It ends, and every refusal says something.
      do throws(ConfigurationError) {
        _ = try ConfigurationDocument(bytes)
      } catch {
        #expect(!error.problems.isEmpty)
        #expect(error.problems.allSatisfy { !$0.message.isEmpty })
      }
    }
  }
}
