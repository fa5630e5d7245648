import Glibc

/// A key in memory: kept out of swap and core dumps where the system allows it, wiped when it goes.
///
/// It cannot be printed, not even by `dump`. Immutable, hence usable from any thread.
package final class Secret: @unchecked Sendable {
  /// Longest key taken, in bytes: real keys have 50 to 200, tokens with claims some thousands.
  package static let bytesMax = 8192

  /// Pages of its own, so that mlock(2) and explicit_bzero(3) touch nobody else's bytes.
  private let memory: UnsafeMutableRawBufferPointer
  private let count: Int

  private init(memory: UnsafeMutableRawBufferPointer, count: Int) {
    self.memory = memory
    self.count = count
  }

  deinit {
    guard let pages = memory.baseAddress else { return }
    explicit_bzero(pages, memory.count)
    munmap(pages, memory.count)
  }

  /// A key out of these bytes, white space at the end left off.
  ///
  /// - Throws: ``KeyProblem`` where they are no key: empty, too long, or something else than
  ///   visible ASCII in them.
  package convenience init(_ bytes: some Collection<UInt8>) throws(KeyProblem) {
    guard bytes.count <= Self.bytesMax else { throw .tooLong(bytesMax: Self.bytesMax) }
    let bytes = Array(bytes)
    try self.init(filledBy: { memory in
      memory.copyBytes(from: bytes)
      return .success(bytes.count)
    })
  }

  /// A key that `fill` writes into fresh memory of ``bytesMax`` bytes and one; it returns how many
  /// it wrote. Nothing of the key is ever anywhere else.
  convenience init(
    filledBy fill: (UnsafeMutableRawBufferPointer) -> Result<Int, FileProblem>
  ) throws(KeyProblem) {
    let size = Self.bytesMax + 1
    let pages = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let pages, pages != MAP_FAILED else { throw .file(.unreadable(errorText(errno))) }
    // RLIMIT_MEMLOCK may forbid it; the key is then as safe as all else in this process.
    mlock(pages, size)
    madvise(pages, size, MADV_DONTDUMP)
    let memory = UnsafeMutableRawBufferPointer(start: pages, count: size)
    let checked = fill(memory).mapError(KeyProblem.file).flatMap { Self.keyLength(memory, $0) }
    guard case .success(let count) = checked else {
      explicit_bzero(pages, size)
      munmap(pages, size)
      guard case .failure(let problem) = checked else { throw .empty }
      throw problem
    }
    self.init(memory: memory, count: count)
  }

  /// Length of the key in the first `filled` bytes, if it is one.
  private static func keyLength(
    _ memory: UnsafeMutableRawBufferPointer, _ filled: Int
  ) -> Result<Int, KeyProblem> {
    guard filled <= bytesMax else { return .failure(.tooLong(bytesMax: bytesMax)) }
    var count = filled
    while count > 0, isWhiteSpace(memory[count - 1]) { count -= 1 }
    guard count > 0 else { return .failure(.empty) }
    let key = memory[..<count]
    if key.contains(where: isWhiteSpace) { return .failure(.innerWhiteSpace) }
    guard key.allSatisfy({ 0x21...0x7E ~= $0 }) else { return .failure(.notVisibleASCII) }
    return .success(count)
  }

  private static func isWhiteSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || 0x09...0x0D ~= byte
  }

  /// Calls `body` with the key's bytes, which are to be copied no further than needed.
  package func withBytes<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    let bytes = UnsafeRawBufferPointer(memory).bindMemory(to: UInt8.self)
    return try body(UnsafeBufferPointer(rebasing: bytes[..<count]).span)
  }

  /// The last four characters, for telling keys apart; empty where that would be a good part of it.
  package var lastFour: String {
    count < 16 ? "" : String(decoding: memory[(count - 4)..<count], as: UTF8.self)
  }

  /// Whether both are the same key, in a time that tells nothing of where they differ.
  package func isSame(as other: Secret) -> Bool {
    guard count == other.count else { return false }
    var difference: UInt8 = 0
    for index in 0..<count { difference |= memory[index] ^ other.memory[index] }
    return difference == 0
  }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var description: String { "<secret>" }
  package var debugDescription: String { "<secret>" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
