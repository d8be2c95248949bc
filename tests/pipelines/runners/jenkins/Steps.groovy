import org.apache.tools.ant.DirectoryScanner

/** What may be read anywhere in a pipeline: env, params, currentBuild, scm, and each variable by its bare name. */
class Block {
    Build build
    Map<String, String> local = [:]

    Map<String, Object> getEnv() { new Variables(this) }
    Map<String, Object> getParams() { build.params }
    Map<String, Object> getCurrentBuild() {
        [result: build.result, currentResult: build.result, number: build.plan.number, changeSets: build.changed]
    }
    Map<String, Object> getHudson() { [model: [Result: [SUCCESS: 'SUCCESS', UNSTABLE: 'UNSTABLE', FAILURE: 'FAILURE']]] }
    String getScm() { 'scm' }

    Map<String, String> environment() {
        def strings = build.params.collectEntries { key, value -> [key, value as String] }
        return strings + build.env + local
    }

    def propertyMissing(String name) {
        def found = environment()
        if (found.containsKey(name)) return found[name]
        throw new Refused("there is no ${name} here")
    }

    def methodMissing(String name, args) { throw new Refused("${this.class.simpleName.toLowerCase()}: the shim does not know ${name}") }

    /** Runs a section: its words are those of `delegate` and no others. */
    static run(Closure body, Object delegate) {
        body.delegate = delegate
        body.resolveStrategy = Closure.DELEGATE_ONLY
        return body.call()
    }
}

class Variables extends AbstractMap<String, Object> {
    private final Block block

    Variables(Block block) { this.block = block }

    Set<Map.Entry<String, Object>> entrySet() { (block.environment() as Map<String, Object>).entrySet() }
    Object get(Object name) { block.environment()[name as String] }
    Object put(String name, Object value) { block.build.env[name] = value as String }
}

/** The steps of a stage. An unknown one is an error, never skipped. */
class Steps extends Block {
    File folder
    /** The workspace of the agent; `folder` may be below it. */
    File top

    Map<String, String> environment() { super.environment() + [WORKSPACE: (top ?: folder)?.path ?: ''] }

    def sh(CharSequence script) { sh(script: script) }

    def sh(Map options) {
        def unknown = options.keySet() - ['script', 'returnStdout', 'returnStatus', 'label', 'encoding']
        if (unknown) throw new Refused("sh: ${unknown}")
        // A Groovy string is put together before the shell sees it: whoever chooses a parameter chooses the command.
        if (!(options.script instanceof String)) throw new Refused("sh gets a Groovy string: ${options.script}")
        if (folder == null) throw new Refused('sh without a node')
        def (code, out) = build.shell(folder, options.script as String, environment(), options.returnStdout as boolean)
        if (options.returnStatus) return code
        if (code != 0) throw new Failed("script returned exit code ${code}")
        return options.returnStdout ? out : null
    }

    def echo(message) { build.say(message as String) }
    def error(String message) { throw new Failed(message) }
    def node(String label = 'any', Closure body) { run(body, new Steps(build: build, folder: build.workspace(label), local: local)) }
    def checkout(String scm) { build.checkout(folder) }
    def script(Closure body) { run(body, this) }
    def timeout(Map options, Closure body) { run(body, this) }
    def timestamps(Closure body) { run(body, this) }
    def retry(int times, Closure body) { run(body, this) }
    def lock(Map options, Closure body) { run(body, this) }
    def lock(String name, Closure body) { run(body, this) }
    def ansiColor(String name, Closure body) { run(body, this) }
    def milestone(Integer number = 0) { }

    def dir(String path, Closure body) { inside(new File(folder, path), local, body) }

    def withEnv(List<String> pairs, Closure body) {
        def variables = [:] + local
        pairs.each { pair ->
            def (name, value) = pair.toString().split('=', 2) as List
            // `PATH+WORD=folder` puts a folder in front of the list.
            def list = name.split(/\+/)[0]
            variables[list] = name.contains('+') ? "${value}:${variables[list] ?: environment()[list]}" as String : value
        }
        inside(folder, variables, body)
    }

    def withCredentials(List<Map> bindings, Closure body) { inside(folder, local + (bindings.sum() as Map ?: [:]), body) }
    def string(Map options) { [(options.variable): build.secret(options.credentialsId)] }
    def file(Map options) { [(options.variable): build.secret(options.credentialsId)] }
    def usernamePassword(Map options) { [(options.usernameVariable): 'user', (options.passwordVariable): build.secret(options.credentialsId)] }

    def catchError(Map options = [:], Closure body) {
        try {
            run(body, this)
        } catch (Failed failed) {
            build.say("caught: ${failed.message}")
            build.result = options.buildResult ?: 'FAILURE'
        }
    }

    def input(Map options) { input(options.message as String) }
    def input(String message) { if (!build.approves(message)) throw new Failed("rejected: ${message}") }

    def stash(Map options) { copy(folder, store('stash', options.name as String), options.includes ?: '**', options.allowEmpty as boolean) }
    def unstash(String name) { copy(store('stash', name), folder, '**', false) }
    def archiveArtifacts(String artifacts) { archiveArtifacts(artifacts: artifacts) }
    def archiveArtifacts(Map options) { copy(folder, store('archive', 'all'), options.artifacts, options.allowEmptyArchive as boolean) }
    def readFile(String path) { new File(folder, path).text }
    def readFile(Map options) { readFile(options.file as String) }
    def fileExists(String path) { new File(folder, path).exists() }
    def writeFile(Map options) { new File(folder, options.file as String).text = options.text }
    def deleteDir() { folder.deleteDir() }

    private inside(File other, Map<String, String> variables, Closure body) {
        other.mkdirs()
        run(body, new Steps(build: build, folder: other, top: top ?: folder, local: variables))
    }

    private File store(String kind, String name) { new File("${build.plan.store}/${kind}/${name}") }

    private void copy(File from, File to, String includes, boolean mayBeEmpty) {
        def files = []
        if (from.isDirectory()) {
            def scanner = new DirectoryScanner(basedir: from, includes: includes.split(/\s*,\s*/))
            scanner.addDefaultExcludes()
            scanner.scan()
            files = scanner.includedFiles as List
        }
        if (!files && !mayBeEmpty) throw new Failed("No files included: ${includes}")
        files.each { name ->
            def target = new File(to, name as String)
            target.parentFile.mkdirs()
            target.bytes = new File(from, name as String).bytes
        }
    }
}
