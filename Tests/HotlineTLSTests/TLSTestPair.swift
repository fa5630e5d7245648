import HotlineTLS
import TestSupport
import Testing

/// What all tests of this target share; keys are made once.
enum TLSTestWorld {
  static let authority = TLSTestAuthority()
  static let identity = authority.issue(
    "DNS:api.example.com,DNS:*.wild.example,IP:127.0.0.1,IP:::1")
  static let port: UInt16 = 443

  static func clientContext(sessionsMax: Int = 64) throws -> TLSContext {
    try TLSContext(trust: .caFile(authority.file), sessionsMax: sessionsMax)
  }
}

extension TLSEngine {
  func receive(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { receive($0) }
  }

  func takeAll() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: pendingCiphertextBytes) { space, count in
      count = takeCiphertext(into: UnsafeMutableRawBufferPointer(space))
    }
  }

  func readAll(chunkBytes: Int = 4096) -> [UInt8] {
    var plaintext: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: chunkBytes)
    while true {
      let count = chunk.withUnsafeMutableBytes { read(into: $0) }
      plaintext += chunk.prefix(count)
      if count < chunkBytes { return plaintext }
    }
  }

  /// Writes everything and returns its ciphertext.
  func encrypt(_ bytes: [UInt8]) -> [UInt8] {
    var ciphertext: [UInt8] = []
    bytes.withUnsafeBytes { all in
      var rest = all[...]
      while !rest.isEmpty {
        let count = write(UnsafeRawBufferPointer(rebasing: rest))
        guard count > 0 else { return }
        rest = rest.dropFirst(count)
        ciphertext += takeAll()
      }
    }
    return ciphertext
  }
}

/// A client engine and a server, back to back.
struct TLSTestPair {
  let client: TLSEngine
  let server: TLSTestServer
  /// Everything that the client decrypted.
  var plaintext: [UInt8] = []
  /// All bytes the server has sent, as far as the client was given them.
  var transcript: [UInt8] = []

  init(
    _ context: TLSContext, _ serverContext: TLSTestServerContext,
    name: String = "api.example.com", port: UInt16 = TLSTestWorld.port
  ) throws {
    client = try TLSEngine(context: context, serverName: name, port: port)
    server = TLSTestServer(serverContext)
  }

  /// Carries bytes both ways until neither side has any.
  ///
  /// - Parameters:
  ///   - pieceBytes: the client gets the server's bytes in pieces of this size.
  ///   - budget: the client gets no more than this many bytes in all.
  mutating func run(pieceBytes: Int = .max, budget: Int = .max) {
    client.start()
    while true {
      let up = client.takeAll()
      server.receive(up)
      let down = server.takeOutput().prefix(budget - transcript.count)
      if up.isEmpty, down.isEmpty { return }
      transcript += down
      var rest = down
      while !rest.isEmpty {
        let piece = rest.prefix(pieceBytes)
        rest = rest.dropFirst(piece.count)
        client.receive(Array(piece))
        plaintext += client.readAll()
      }
    }
  }
}
