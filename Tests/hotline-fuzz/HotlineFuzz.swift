import Fuzzing
import Glibc

/// Chosen by the environment, for libFuzzer may start this program again with arguments of its own.
private let target = getenv("HOTLINE_FUZZ_TARGET").flatMap {
  FuzzTarget(rawValue: String(cString: $0))
}

private typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// libFuzzer, for programs that have a `main` of their own.
///
/// Not declared by any header. For these types Swift's calling convention is C's.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
  _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<Arguments>,
  _ testOneInput: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// The program's `main`, under the name that SwiftPM links it by.
///
/// `hotline-fuzz list` prints the targets, `hotline-fuzz seeds DIRECTORY` writes what they begin
/// with; else the arguments are libFuzzer's, and `HOTLINE_FUZZ_TARGET` names the target.
@_cdecl("hotline_fuzz_main")
func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
  let words = (1..<max(1, Int(count))).compactMap { arguments[$0].map { String(cString: $0) } }
  if words.first == "list" {
    for target in FuzzTarget.allCases { print(target.rawValue, target.inputBytesMax) }
    return 0
  }
  if words.first == "seeds", words.count == 2 { return writeSeeds(to: words[1]) }
  guard target != nil else {
    print("HOTLINE_FUZZ_TARGET names no target; see hotline-fuzz list")
    return 2
  }
  var count = count
  var arguments = arguments
  return runFuzzer(&count, &arguments, testOneInput)
}

private func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeRawBufferPointer(start: start, count: count))
  do throws(BrokenProperty) {
    try target?.check(input)
  } catch {
    fatalError("\(error)")
  }
  return 0
}

/// Writes a directory and a dictionary for each target.
private func writeSeeds(to directory: String) -> CInt {
  for target in FuzzTarget.allCases {
    let path = "\(directory)/\(target.rawValue)"
    mkdir(path, 0o777)
    for (index, seed) in target.seeds.enumerated() where !write(seed, to: "\(path)/\(index)") {
      return 1
    }
    let words = target.words.map { "\"\($0)\"\n" }.joined()
    guard write(Array(words.utf8), to: "\(path).dict") else { return 1 }
  }
  return 0
}

private func write(_ bytes: [UInt8], to path: String) -> Bool {
  guard let file = fopen(path, "w") else {
    perror(path)
    return false
  }
  let isWritten = fwrite(bytes, 1, bytes.count, file) == bytes.count
  return fclose(file) == 0 && isWritten
}
