import Glibc

/// The program behind `contrib/microbenchmark`: `microbenchmark OPERATION COUNT` does one thing so
/// often, for its instructions to be counted from outside; without arguments it lists the things.
@main
enum Microbenchmark {
  static func main() {
    let arguments = CommandLine.arguments.dropFirst()
    guard let name = arguments.first else {
      for operation in Operation.all { print(operation.name, operation.count) }
      return
    }
    guard let operation = Operation.all.first(where: { $0.name == name }), arguments.count == 2,
      let count = Int(arguments[2]), count >= 0
    else {
      print("microbenchmark: \(arguments) is not an operation and how often")
      exit(2)
    }
    let once = operation.prepare()
    for _ in 0..<count { once() }
  }
}

/// One thing whose instructions are counted.
struct Operation {
  let name: String
  /// How often it is done at least; twice as often once more, and the difference is what counts.
  let count: Int
  /// Makes what it needs, and what does it once.
  let prepare: () -> () -> Void

  static var all: [Operation] { wire + frames + broker + clients }
}

/// Keeps a result from being optimised away.
@inline(never)
func keep<Value>(_ value: Value) {
  withUnsafePointer(to: value) { _ = $0 }
}
