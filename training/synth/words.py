"""What shops write on their pictures: slogans, prices, captions and brand names in nine scripts. No fonts here."""

from __future__ import annotations

import numpy as np


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


WORDS: dict[str, tuple[str, ...]] = {
    "latin": _list(
        "summer sale, new in, free shipping, limited edition, soft, bold, the new classic, only today, best "
        "seller, buy 2 get 1, fresh, made to last, organic, winter, final hours, exclusive, up to, off, shop "
        "now, gift, handmade, ultra light, pro, since 1974, collection, comfort, every day, premium quality, "
        "last chance, black friday, your style, discover more, waterproof, kids, home & living, 100% cotton, "
        "sizes, now, save, Neue Kollektion, jetzt sparen, nur solange der Vorrat reicht, Geschenkidee, "
        "größer, für jeden Tag, nouvelle saison, soldes, livraison offerte, élégant, découvrez, édition "
        "limitée, rebajas, envío gratis, oferta especial, más por menos, novità, spedizione gratuita, saldi, "
        "promoção, yeni sezon, indirim, khuyến mãi, wyprzedaż, nowość, akce, uitverkoop, rea, tilbud"
    ),
    "cyrillic": _list(
        "скидка, новинка, только сегодня, хит продаж, доставка, распродажа, лето, качество, подарок, знижка, нове"
    ),
    "greek": _list("προσφορά, νέα συλλογή, έκπτωση, μόνο σήμερα, δώρο, καλοκαίρι, ποιότητα"),
    "hebrew": _list("מבצע, חדש, משלוח חינם, הנחה, קיץ, רק היום, איכות"),
    "arabic": _list("تخفيضات, جديد, شحن مجاني, عرض خاص, الصيف, اليوم فقط, جودة عالية, تسوق الآن"),
    "devanagari": _list("सेल, नया, मुफ़्त डिलीवरी, छूट, सिर्फ आज, उपहार, खास ऑफर"),
    "thai": _list("ลดราคา, ใหม่, ส่งฟรี, วันนี้เท่านั้น, โปรโมชั่น, ของขวัญ, คุณภาพ"),
    "han": _list(
        "新品上市, 限时特惠, 全场包邮, 买一送一, 爆款, 夏季, 品质生活, 立即抢购, 优惠券, 正品, 双十一, "
        "轻便, 满减, 热卖, 送礼"
    ),
    "kana": _list("セール, 新発売, 送料無料, おすすめ, 数量限定, 毎日つかえる, やさしい着心地, ギフト, お買い得"),
    "hangul": _list("세일, 신상품, 무료배송, 오늘만, 할인, 여름, 베스트, 선물, 한정판"),
}
_SYLLABLES = _list(
    "ka, lo, mi, ve, ra, no, zu, fel, tor, an, dri, sa, ne, ly, "
    "mo, bex, al, vi, ro, qua, sten, er, ola, wick, hus, nor, pla, fi"
)
_SIGNS = ("$", "$", "€", "€", "£", "kr ", "R$", "CHF ", "US$")  # every Latin font has these
_UNSPACED = ("han", "kana", "thai")


def slogan(rng: np.random.Generator, script: str, words: int) -> str:
    """About `words` words of the script, in sentence, title or upper case."""
    picked = [str(w) for w in rng.choice(WORDS[script], size=max(1, words))]
    text = ("" if script in _UNSPACED else " ").join(picked)
    case = rng.integers(4)
    return text.upper() if case == 0 else text.title() if case == 1 else text[:1].upper() + text[1:]


def price(rng: np.random.Generator) -> str:
    """A price, such as `$19.99` or `249 €`."""
    amount = float(np.exp(rng.uniform(0.5, 7.5)))
    number = f"{amount:.2f}" if rng.random() < 0.6 else f"{amount:.0f}"
    if rng.random() < 0.3:
        number = number.replace(".", ",")
    sign = str(rng.choice(_SIGNS))
    return f"{number} {sign.strip()}" if rng.random() < 0.35 else sign + number


def offer(rng: np.random.Generator) -> str:
    """What stands in a badge: `-30%`, `NEW`, `2+1`."""
    if rng.random() < 0.55:
        percent = 5 * int(rng.integers(1, 19))
        return str(rng.choice((f"-{percent}%", f"{percent}% OFF", f"{percent}%")))
    return str(rng.choice(("NEW", "SALE", "HOT", "TOP", "2+1", "BIO", "NEU", "1+1", "24h", "N°1", "XXL", "3 for 2")))


def brand(rng: np.random.Generator) -> str:
    """An invented name."""
    name = "".join(str(s) for s in rng.choice(_SYLLABLES, size=rng.integers(2, 4)))
    if rng.random() < 0.15:
        name += str(rng.choice((" & co", ".shop", " studio", " home", "®", " 24")))
    case = rng.integers(3)
    return name.upper() if case == 0 else name.title() if case == 1 else name
