import Foundation
import Testing

@testable import SX

/// The machine against an evaluator that is too simple to be wrong: the same value, the same error, the same output.
@Suite struct ReferenceComparisonTests {
  /// What a program leads to.
  struct Outcome: Equatable, Sendable, CustomStringConvertible {
    var result: String
    var output: String
    var description: String { output.isEmpty ? result : result + "\n      after " + output.debugDescription }
  }

  /// A program on which the two disagree.
  struct Disagreement: Sendable, CustomStringConvertible {
    let seed: UInt64
    let program: [ProgramTree]
    let machine: Outcome, reference: Outcome
    var description: String {
      "seed \(seed):\n" + program.map { "    \($0)\n" }.joined() + "  machine: \(machine)\n  reference: \(reference)"
    }
  }

  /// Both evaluators, to which programs are given one after the other. The names that programs define must differ.
  final class Pair {
    private let machineHost = OutputHost(), referenceHost = OutputHost()
    let machine: Interpreter
    let reference: ReferenceEvaluator
    init(change: (ReferenceEvaluator) -> Void = { _ in }) {
      machine = Interpreter(host: machineHost)
      machine.limits.steps = 40_000
      reference = ReferenceEvaluator(host: referenceHost)
      reference.mostSteps = 20_000
      change(reference)
    }

    /// nil when one of the two cannot say.
    func compare(_ source: String) -> (machine: Outcome, reference: Outcome)? {
      var interruption: Interruption?, isUnsupported = false, results: [String] = []
      do {
        results.append(try machine.evaluate(source).description)
      } catch let diagnostic as Diagnostic {
        interruption = diagnostic.interruption
        results.append("error: " + diagnostic.message)
      } catch {
        results.append("error: \(error)")
      }
      // The machine knows mistakes of syntax before the program runs; a tree walk comes across them, or does not.
      if interruption != nil || results[0].hasPrefix("error: `") {
        _ = machineHost.take()
        return nil
      }
      do {
        results.append(Printer.text(try reference.run(source, file: "<eval>"), reference.machine))
      } catch let uncaught as ReferenceUncaught {
        results.append("error: " + reference.machine.diagnostic(Raise(condition: uncaught.condition)).message)
      } catch is Unsupported {
        isUnsupported = true
      } catch {
        results.append("error: \(error)")
      }
      let output = (machineHost.take(), referenceHost.take())
      if isUnsupported { return nil }
      // Which name is near depends on where the mistake stands.
      results = results.map { $0.hasPrefix("error: Undefined symbol") ? String($0.prefix { $0 != "," }) : $0 }
      return (Outcome(result: results[0], output: output.0), Outcome(result: results[1], output: output.1))
    }
  }

  /// A tree walk needs much of the native stack.
  private static func onLargeStack<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
      let thread = Thread { continuation.resume(with: Result { try body() }) }
      thread.stackSize = 1 << 30
      thread.start()
    }
  }

  private static func source(_ program: [ProgramTree]) -> String { program.map(\.description).joined(separator: "\n") }

  /// Compares the programs of these seeds. Answers the first disagreements, shrunk, and how many programs both could run.
  private static func compare(_ seeds: Range<UInt64>, most: Int = 3, shrinks: Bool = true, change: (ReferenceEvaluator) -> Void = { _ in }) -> (found: [Disagreement], compared: Int, raising: Int) {
    var found: [Disagreement] = [], compared = 0, raising = 0
    var pair = Pair(change: change)
    for seed in seeds {
      if seed % 500 == 499 { pair = Pair(change: change) }
      var generator = ProgramGenerator(seed: seed)
      let program = generator.program()
      guard let (machine, reference) = pair.compare(source(program)) else { continue }
      compared += 1
      if machine.result.hasPrefix("error: ") { raising += 1 }
      guard machine != reference else { continue }
      let disagreement = Disagreement(seed: seed, program: program, machine: machine, reference: reference)
      found.append(shrinks ? shrunk(disagreement, change) : disagreement)
      if found.count == most { break }
    }
    return (found, compared, raising)
  }

  /// A smaller program on which the two still disagree, after a limited number of attempts.
  private static func shrunk(_ first: Disagreement, _ change: (ReferenceEvaluator) -> Void) -> Disagreement {
    var best = first, attempts = 0
    var progress = true
    while progress, attempts < 250 {
      progress = false
      guard case .list = ProgramTree.list(best.program) else { break }
      for smaller in ProgramTree.list(best.program).reductions {
        guard case .list(let program) = smaller, !program.isEmpty, attempts < 250 else { continue }
        attempts += 1
        guard let (machine, reference) = Pair(change: change).compare(source(program)), machine != reference,
          machine.result.hasPrefix("error: Undefined") == first.machine.result.hasPrefix("error: Undefined")
        else { continue }
        best = Disagreement(seed: first.seed, program: program, machine: machine, reference: reference)
        progress = true
        break
      }
    }
    return best
  }

  // MARK: Generated programs

  private static let programs: UInt64 = 2_500

  @Test func generatedProgramsMeanTheSame() async throws {
    // SX_REFERENCE_SEEDS=FIRST-LAST tries others.
    let range = ProcessInfo.processInfo.environment["SX_REFERENCE_SEEDS"]?.split(separator: "-").compactMap { UInt64($0) } ?? []
    let seeds = range.count == 2 ? range[0]..<(range[1] + 1) : 0..<Self.programs
    let (found, compared, raising) = try await Self.onLargeStack { Self.compare(seeds) }
    for disagreement in found { Issue.record("\(disagreement)") }
    guard found.isEmpty, seeds.count >= 1_000 else { return }
    // A generator whose programs cannot be compared, or only ever raise, would say nothing.
    #expect(compared >= seeds.count * 9 / 10, "\(compared) of \(seeds.count)")
    #expect(raising <= seeds.count * 6 / 10 && raising >= seeds.count / 50, "\(raising) of \(seeds.count)")
  }

  // MARK: The comparison itself

  /// Mistakes that are put into the reference on purpose.
  enum Mistake: String, CaseIterable {
    case maximum, orderOfMapping, forgottenExit, conjunction, conditional, sequence

    func make(in reference: ReferenceEvaluator) {
      switch self {
      case .maximum:
        reference.install("max", 1, hasRest: true) { _, given in .value(given[0]) }
      case .orderOfMapping:
        reference.install("map", 2, hasRest: true) { sx, given in
          let lists = given.dropFirst().map { Array(ListElements($0)) }
          let rows = (0..<(lists.map(\.count).min() ?? 0)).map { i in lists.map { $0[i] } }
          return .value(sx.heap.list(try rows.reversed().map { try sx.call(given[0], $0) }.reversed()))
        }
      case .forgottenExit:
        reference.install("dynamic-wind", 3) { sx, given in
          _ = try sx.call(given[0], [])
          let value = try sx.call(given[1], [])
          _ = try sx.call(given[2], [])
          return .value(value)
        }
      case .conjunction: reference.read("and", as: .or)
      case .conditional: reference.read("if", as: .when)
      case .sequence: reference.read("begin", as: .and)
      }
    }
  }

  @Test(arguments: Mistake.allCases) func aMistakeIsFound(_ mistake: Mistake) async throws {
    let (found, _, _) = try await Self.onLargeStack { Self.compare(0..<1_000, most: 1, shrinks: false, change: mistake.make) }
    #expect(found.count == 1)
  }

  // MARK: Suites

  /// Suites of `conformance/`, and how many of their cases the reference has to pass at least. What it cannot run it says so.
  private static let suites: [(file: String, cases: Int)] = [
    ("language/bytevectors.sx", 18),
    ("language/chars.sx", 32),
    ("language/dicts.sx", 69),
    ("language/dynamic-wind.sx", 23),
    ("language/equality.sx", 22),
    ("language/errors.sx", 72),
    ("language/functions.sx", 41),
    ("language/hash-tables.sx", 40),
    ("language/integers.sx", 28),
    ("language/let-forms.sx", 49),
    ("language/list-mutation.sx", 65),
    ("language/lists.sx", 70),
    ("language/macros.sx", 31),
    ("language/match.sx", 62),
    ("language/numbers.sx", 91),
    ("language/own-names.sx", 9),
    ("language/parameters.sx", 27),
    ("language/promises.sx", 16),
    ("language/quasiquote.sx", 38),
    ("language/r7rs.sx", 12),
    ("language/rationals.sx", 61),
    ("language/records.sx", 23),
    ("language/ring-buffer.sx", 16),
    ("language/scopes.sx", 28),
    ("language/sets.sx", 26),
    ("language/special-forms.sx", 74),
    ("language/string-buffers.sx", 9),
    ("language/strings.sx", 90),
    ("language/type-predicates.sx", 23),
    ("language/types.sx", 18),
    ("language/values.sx", 35),
    ("language/vectors.sx", 28),
    ("core/higher-order.sx", 32),
  ]

  @Test func suitesMeanTheSame() async throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("conformance").resolvingSymlinksInPath()
    let texts = try Self.suites.map { try String(contentsOf: folder.appendingPathComponent($0.file), encoding: .utf8) }
    let outcomes = try await Self.onLargeStack {
      try texts.map { text in
        let reference = ReferenceEvaluator(host: OutputHost())
        reference.mostSteps = 100_000
        do {
          _ = try reference.run(text, file: "suite.sx", isSuite: true)
        } catch let uncaught as ReferenceUncaught {
          reference.cases.append(("the file", .failed(reference.machine.diagnostic(Raise(condition: uncaught.condition)).message)))
        }
        return reference.cases.map { ($0.path, $0.outcome) }
      }
    }
    for (suite, cases) in zip(Self.suites, outcomes) {
      for (path, outcome) in cases { if case .failed(let message) = outcome { Issue.record("\(suite.file): \(path): \(message)") } }
      let passed = cases.count { $0.1 == .passed }
      if ProcessInfo.processInfo.environment["SX_REFERENCE_COUNTS"] != nil {
        print("COUNT \(suite.file) \(passed) of \(cases.count)", Set(cases.compactMap { if case .unsupported(let what) = $0.1 { what } else { nil } }).sorted())
      }
      #expect(passed >= suite.cases, "\(suite.file): \(passed) of \(cases.count)")
    }
  }
}
