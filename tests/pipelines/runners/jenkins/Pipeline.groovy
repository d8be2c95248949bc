import org.apache.tools.ant.types.selectors.SelectorUtils

/** The sections that a pipeline and a stage have in common. */
class Section extends Block {
    static final OPTIONS = ['timeout', 'disableConcurrentBuilds', 'buildDiscarder', 'skipDefaultCheckout', 'timestamps', 'retry',
                            'skipStagesAfterUnstable', 'preserveStashes', 'lock', 'durabilityHint', 'disableResume']
    String label
    List<Closure> environments = []
    Map<String, Closure> posts = [:]

    def getAny() { 'any' }
    def getNone() { 'none' }
    def agent(String kind) { label = kind }
    def agent(Closure body) { label = 'any'; run(body, new Agent(build: build, section: this)) }
    def environment(Closure body) { environments << body }
    def options(Closure body) { run(body, new Words(build: build, known: OPTIONS, told: build.declared.options as List)) }
    def post(Closure body) { run(body, new Conditions(build: build, posts: posts)) }

    /** `environment { NAME = 'value' }`, in order; later values may use earlier ones. */
    void assign() { environments.each { run(it, new Assignments(build: build, local: local)) } }

    void finish(File folder, boolean good) {
        def order = ['always', good ? 'success' : 'failure', good ? null : 'unsuccessful', 'cleanup']
        order.findAll { it && posts[it] }.each { name ->
            Block.run(posts[name], new Steps(build: build, folder: folder, local: local))
        }
    }
}

class Agent extends Block {
    Section section

    def label(String words) { section.label = words }
    def node(Closure body) { run(body, this) }
    def docker(Closure body) { run(body, this) }
    def docker(String image) { }
    def image(String name) { }
    def args(String words) { }
    def reuseNode(boolean yes) { }
}

class Assignments extends Block {
    void propertyMissing(String name, value) { local[name] = value as String }
    def credentials(String id) { build.secret(id) }
}

class Conditions extends Block {
    Map<String, Closure> posts

    def methodMissing(String name, args) {
        if (!(name in ['always', 'success', 'failure', 'unsuccessful', 'cleanup', 'aborted'])) throw new Refused("post: ${name}")
        posts[name] = args[0] as Closure
    }
}

/** Words that are only kept: options, triggers, parameters. */
class Words extends Block {
    List<String> known
    List told

    def methodMissing(String name, args) {
        if (!(name in known || name in ['logRotator'])) throw new Refused("the shim does not know ${name}")
        told << [name, (args as List).collect { it instanceof Map ? it : it as String }]
        if (name == 'skipDefaultCheckout') build.skipCheckout = !args || args[0]
        return name
    }
}

class PipelineBody extends Section {
    Closure body

    def parameters(Closure parameters) {
        run(parameters, new Words(build: build, known: ['string', 'choice', 'booleanParam', 'text', 'password'], told: build.declared.parameters as List))
        build.declared.parameters.each { kind, args ->
            def given = args[0] as Map
            def usual = given.containsKey('defaultValue') ? given.defaultValue : (given.choices ? given.choices[0] : '')
            if (!build.params.containsKey(given.name)) build.params[given.name as String] = usual
            if (given.trim) build.params[given.name as String] = build.params[given.name].trim()
            if (given.choices && !(build.params[given.name] in given.choices)) throw new Refused("${given.name} has no such choice")
        }
        def unknown = (build.plan.params as Map ?: [:]).keySet() - build.declared.parameters.collect { it[1][0].name }
        if (unknown) throw new Refused("there is no parameter ${unknown}")
    }

    def triggers(Closure triggers) {
        run(triggers, new Words(build: build, known: ['cron', 'pollSCM', 'upstream', 'githubPush'], told: build.declared.triggers as List))
    }

    def stages(Closure stages) { body = stages }
}

class Stages extends Block {
    Section outer

    def stage(String name, Closure body) { new Stage(build: build, name: name, outer: outer, local: [:] + local).start(body) }
}

class Stage extends Section {
    String name
    Section outer
    Closure work, nested, condition, question

    def steps(Closure body) { work = body }
    def stages(Closure body) { nested = body }
    def parallel(Closure body) { nested = body }
    def when(Closure body) { condition = body }
    def input(Closure body) { question = body }

    def start(Closure body) {
        Block.run(body, this)
        if (!work && !nested) throw new Refused("stage ${name} has nothing to do")
        if (build.result != 'SUCCESS') return end('SKIPPED')
        assign()
        if (condition && !new When(build: build, local: local).holds(condition)) return end('SKIPPED')
        def place = label ?: outer.label
        if (question && !approved()) return fail(new Failed("${name}: not approved"), place)
        if (nested) {
            this.label = place
            Block.run(nested, new Stages(build: build, outer: this, local: local))
            return
        }
        if (place == 'none') throw new Refused("stage ${name} has no agent")
        def folder = build.workspace(place)
        try {
            if (!build.skipCheckout && !(folder.path in build.checkedOut)) build.checkout(folder)
            Block.run(work, new Steps(build: build, folder: folder, local: local))
            finish(folder, true)
            end('SUCCESS')
        } catch (Failed failed) {
            fail(failed, place)
        }
    }

    private boolean approved() {
        def asked = new Question(build: build, local: local)
        Block.run(question, asked)
        return build.approves(asked.words)
    }

    private void fail(Failed failed, String place) {
        build.say("ERROR: ${failed.message}")
        build.result = 'FAILURE'
        end('FAILURE')
        finish(build.workspace(place), false)
    }

    private void end(String result) { build.stages << [name: name, result: result, label: label ?: outer.label] }
}

class Question extends Block {
    String words = ''

    def message(String question) { words = question }
    def ok(String button) { }
    def submitter(String names) { }
    def submitterParameter(String name) { }
    def id(String name) { }
}

class When extends Block {
    private List<Boolean> found = []

    private boolean add(boolean holds) { found << holds; holds }

    private List<Boolean> inner(Closure body) {
        def other = new When(build: build, local: local)
        run(body, other)
        return other.found
    }

    boolean holds(Closure body) { inner(body).every() }

    def beforeAgent(boolean yes) { }
    def beforeInput(boolean yes) { }
    def expression(Closure body) { add(run(body, new Steps(build: build, local: local)) as boolean) }
    def allOf(Closure body) { add(inner(body).every()) }
    def anyOf(Closure body) { add(inner(body).any()) }
    def not(Closure body) { add(!inner(body).every()) }
    def branch(String pattern) { add(SelectorUtils.match(pattern, build.plan.branch as String)) }
    def triggeredBy(String cause) { add(build.plan.cause == cause) }
    def triggeredBy(Map options) { add(build.plan.cause == options.cause) }
    def changeRequest(Map options = [:]) { add(build.plan.change as boolean) }
    def changeset(String pattern) { add(build.changed.any { SelectorUtils.matchPath(pattern, it as String, false) }) }
    def environment(Map options) { add(environment()[options.name] == options.value) }
    def equals(Map options) { add(options.expected == options.actual) }
}
