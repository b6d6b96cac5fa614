"""Words that memorable names are made of: frozen for ever, for a name that changes is not memorable.

In each list the words differ from one another by more than one letter.
"""

_ADJECTIVES = """
agile airy amber ancient apt arctic artful atomic autumn awake azure balanced balmy beaming blissful blithe
blooming blue bold bonny bouncy brave breezy bright brisk bronze bubbly busy calm candid charming cheerful
classic clear clever cloudy coastal cobalt cool copper cosmic cozy creative crimson crisp curious curly
dainty dapper daring dazzling deft devoted dreamy dynamic eager early earnest easy elated elegant epic
eternal fabled fair faithful famous fancy fast fearless festive fiery firm fleet floral fluent fluffy fond
frank fresh friendly frosty frugal fuzzy gallant generous gentle genuine gifted glad gliding glossy glowing
golden graceful gracious grand green handy happy harmonic hearty helpful heroic honest hopeful humble icy
ideal indigo inventive ivory jade jaunty jazzy jolly jovial joyful jubilant keen kind lavender leafy light
lilac limber lively loyal lucid lucky lunar lush magic magnetic majestic mellow melodic merry mighty mild
mindful misty modern modest musical mystic natural nautical neat nifty nimble noble oaken olive orange
outgoing patient peaceful peppy perky placid playful pleasant poetic poised polite precise pristine proud
prudent punctual purple quiet quirky radiant rapid rare ready regal relaxed resolute robust rosy round ruby
rustic sapphire scarlet scenic serene sharp shining silent silver sincere skilled sleek smart smiling smooth
snappy snowy snug social soft solar sonic speedy spirited splendid spry stable starry stately steady stellar
sterling strong sturdy stylish subtle sunlit sunny superb sweet swift talented tender thankful tidy timely
topaz tranquil tropical trusty upbeat valiant velvet verdant vibrant vigilant violet vital vivid warm
watchful whimsical wintry wise witty wondrous worthy zany zealous zesty zippy
"""
ADJECTIVES: tuple[str, ...] = tuple(_ADJECTIVES.split())
"""256 words; the first byte of an id chooses one."""

_ANIMALS = """
albatross alpaca anchovy anteater antelope armadillo axolotl badger bear beaver bee beetle beluga bilby
bison blackbird bluebird bluejay bobcat bunny butterfly buzzard caiman camel canary capybara caracal
cardinal caribou cassowary catfish cheetah chickadee chipmunk cicada clam cobra condor coot cormorant cougar
coyote crab crane crayfish cricket crow cuckoo deer dingo dipper dolphin dormouse dove dragonfly duckling
dugong eagle echidna eel elephant emu ermine falcon fennec ferret finch firefly flamingo flounder fox frog
gazelle gecko gerbil gibbon giraffe goat goldfinch goldfish gopher gorilla goshawk grebe greyhound grouper
grouse gull haddock halibut hamster hare hawk hedgehog heron herring hippo honeybee hoopoe hornbill horse
ibex iguana impala jackal jackdaw jaguar jellyfish kangaroo kestrel kite kitten kiwi koala kudu labrador
ladybug lamb lapwing lark lemming lemur leopard linnet lion lizard llama lobster lynx macaw mackerel magpie
mallard manatee mandrill manta mantis marlin marmoset marmot mayfly meerkat minnow mole mongoose monkey
moose moth muskox mustang narwhal nautilus newt nightjar numbat ocelot octopus okapi opossum orangutan orca
oriole oryx osprey ostrich otter owl oyster panda pangolin panther parakeet parrot partridge peafowl pelican
penguin pheasant pigeon pika pintail platypus plover pony poodle porcupine porpoise puffin puma puppy quail
quetzal quokka rabbit raccoon raven reindeer rhino robin rooster salmon sandpiper scallop seahorse seal
shark sheep shrew shrimp skylark sloth snail snipe spaniel sparrow spoonbill squid squirrel stallion
starfish starling stingray stork sturgeon sunbird swallow swan swordfish tamarin tapir tern terrapin terrier
tiger toad tortoise toucan trout tuna turkey turtle wagtail wallaby walrus warbler waxwing weasel whale
wildcat wolf wolverine wombat woodlark wren yak zebra
"""
ANIMALS: tuple[str, ...] = tuple(_ANIMALS.split())
"""256 words; the second byte of an id chooses one."""
